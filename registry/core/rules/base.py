"""What a rule is, and what it is given to judge by. No rule lives here."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from registry.core.changes import Change, Plan
from registry.core.compiled import Compiled
from registry.core.definitions import NOWHERE, Location
from registry.core.duplication import Duplicate, NearMatch, ValueMatch
from registry.core.evidence import CheckResult
from registry.core.findings import Severity, Strictness
from registry.core.published import Published
from registry.core.readers import Reader, Readers
from registry.core.similarity.likeness import Answer, Keys, Likeness
from registry.core.state import FeatureRecord, NamespaceState, newest_features

TableColumns = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that rules may look at. `tables` maps warehouse tables to their columns; None: unknown.

    `interval_seconds` is how often features are materialized; `now` is aware UTC. `their_readers`
    are those of the features that new ones repeat, by whole reference; `answers` what reviewers
    said of such pairs. `unread`
    are views whose values could not be compared, each with the reason; `unmet` are
    (view, sentence) of expectations that a sample of its values does not meet. `lenders` are the
    published states of other namespaces that services name; `results` what checks stored of the
    features that change their state, by `view:feature@version`.
    """

    compiled: Compiled
    state: NamespaceState
    plan: Plan
    readers: Readers
    now: datetime
    interval_seconds: float
    tables: TableColumns | None = None
    duplicates: tuple[Duplicate, ...] = ()
    alike: tuple[ValueMatch, ...] = ()
    near: tuple[NearMatch, ...] = ()
    their_readers: Readers = field(default_factory=dict)
    answers: Mapping[Keys, Answer] = field(default_factory=dict)
    unread: tuple[tuple[str, str], ...] = ()
    unmet: tuple[tuple[str, str], ...] = ()
    newest: Mapping[str, FeatureRecord] = field(default_factory=dict)
    lenders: Mapping[str, Published] = field(default_factory=dict)
    results: Mapping[str, tuple[CheckResult, ...]] = field(default_factory=dict)

    def feature_changes(self, aspect: str, *actions: str) -> Iterator[Change]:
        """Changes of features under one aspect, of the given actions."""
        for change in self.plan.changes:
            if change.object == "feature" and change.aspect == aspect and change.action in actions:
                yield change


def gather(evidence: Evidence) -> Evidence:
    """The evidence with its indexes filled."""
    return replace(evidence, newest=newest_features(evidence.state))


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that a rule saw, before its severity is decided."""

    subject: str
    message: str
    hint: str
    location: Location = NOWHERE
    readers: tuple[Reader, ...] = ()
    likeness: Likeness | None = None


Check = Callable[[Evidence], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class Rule:
    """An id, how strict it is, how severe by default, and one sentence of why."""

    id: str
    strictness: Strictness
    severity: Severity
    why: str
    check: Check


RULES: dict[str, Rule] = {}


def rule(id: str, strictness: Strictness, severity: Severity, why: str) -> Callable[[Check], Check]:
    """Register a check under its id."""

    def register(check: Check) -> Check:
        RULES[id] = Rule(id, strictness, severity, why, check)
        return check

    return register
