"""What a check said of each proposed feature, read from its findings. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.duplicates.corpus import Case, CaseView
from bench.duplicates.families import SPLITS
from bench.duplicates.project import KNOWN
from bench.duplicates.repository import on_demand_name

DEFINITION: Final = "duplicate-definition"
BLOCKS: Final = frozenset({DEFINITION, "duplicate-values"})
ASKS: Final = frozenset({"near-duplicate"})
_REF = re.compile(r"\b([A-Za-z0-9_-]+)/([A-Za-z0-9_]+:[A-Za-z0-9_]+)@\d+")

Finding = Mapping[str, Any]
Equals = Callable[[str], set[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the check said of one case ("block", "ask", "pass"), by which rule, naming what.

    `right` says whether a registered feature that the case copies is the one named. `advice` are
    the rules that neither refuse nor ask but name a registered feature: of a copy the copied one.
    """

    case: str
    label: str
    family: str
    split: str
    of: str
    said: str
    rule: str
    named: str
    message: str
    advice: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Blocked or asked, about the feature that it copies."""
        return self.said != "pass" and self.right

    @property
    def right(self) -> bool:
        return bool(self.of) and self.named == self.of

    @property
    def wrong(self) -> bool:
        """A copy that was not found, or an honest feature that was not let pass."""
        return not self.found if self.of else self.said != "pass"

    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "right": self.right}


def alone(ref: str) -> set[str]:
    """A feature that nothing else equals."""
    return {ref}


def telling(finding: Finding) -> bool:
    """Whether a finding says anything of likeness to what is registered."""
    return finding["rule"] in BLOCKS | ASKS or bool(_named(finding))


def read_answers(
    batch: Sequence[CaseView], findings: Sequence[Finding], equals: Equals = alone
) -> Iterator[Answer]:
    """One answer a case; the strongest finding counts. `equals` gives the registered features that
    may be named for one, itself among them."""
    by_subject: dict[str, list[Finding]] = {}
    for finding in filter(telling, findings):
        by_subject.setdefault(finding["subject"], []).append(finding)
    for view in batch:
        for case in view.cases:
            yield _answer(view, case, by_subject.get(subject(view, case), []), equals)


def subject(view: CaseView, case: Case) -> str:
    """The feature's name in findings."""
    return f"{on_demand_name(view.name) if view.extra else view.name}:{case.name}"


def _answer(view: CaseView, case: Case, findings: Sequence[Finding], equals: Equals) -> Answer:
    said = [f for f in findings if f["rule"] in BLOCKS | ASKS]
    ranked = sorted(said, key=lambda f: f["rule"] not in BLOCKS)
    copied = equals(case.of) if case.of else set()
    named = [ref for finding in ranked for ref in _named(finding)]
    strongest = ranked[0] if ranked else {"rule": "", "message": ""}
    word = "block" if strongest["rule"] in BLOCKS else "ask"
    return Answer(
        case=subject(view, case), label=case.label, family=case.family, split=SPLITS[case.family],
        of=case.of, said=word if ranked else "pass", rule=strongest["rule"],
        named=case.of if copied & set(named) else next(iter(named), ""),
        message=strongest["message"], advice=tuple(_advice(findings, copied)),
    )  # fmt: skip


def _advice(findings: Iterable[Finding], copied: set[str]) -> Iterator[str]:
    for finding in findings:
        advises = finding["rule"] not in BLOCKS | ASKS
        if advises and (not copied or copied & set(_named(finding))):
            yield finding["rule"]


def _named(finding: Finding) -> list[str]:
    return [ref for namespace, ref in _REF.findall(finding["message"]) if namespace == KNOWN]
