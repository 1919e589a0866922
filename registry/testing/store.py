"""The `Store` port in dicts: what a SQL database does, without one."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime

from registry.core.audit import ChainedEvent, Checkpoint, Event, chain
from registry.core.borrowing import home_pins
from registry.core.duplication import KnownFeature, ProposedFeature, known_feature
from registry.core.owners import same_subject
from registry.core.policy import Approval
from registry.core.proposals import PENDING, Proposal
from registry.core.published import Published
from registry.core.readers import Reader
from registry.core.similarity.likeness import Answer, Keys, pair_of
from registry.core.similarity.values import ValueSketch
from registry.core.state import FeatureRecord, NamespaceState, ServiceRecord
from registry.kernel.errors import Conflict, NotFound, Refused
from registry.ports import Principal


@dataclass
class InMemoryTransaction:
    """All that the store holds. A write works on a copy that replaces it at the end."""

    states: dict[str, NamespaceState] = field(default_factory=dict)
    published_states: dict[str, tuple[Published, ...]] = field(default_factory=dict)
    log: tuple[ChainedEvent, ...] = ()
    marks: dict[int, Checkpoint] = field(default_factory=dict)
    kept: dict[str, Proposal] = field(default_factory=dict)
    consents: dict[tuple[str, str], Approval] = field(default_factory=dict)
    kept_sketches: dict[tuple[str, str], ValueSketch] = field(default_factory=dict)
    answered: dict[Keys, Answer] = field(default_factory=dict)
    proposed: dict[str, tuple[ProposedFeature, ...]] = field(default_factory=dict)
    book_readers: tuple[tuple[str, Reader], ...] = ()
    holders: tuple[Principal, ...] = ()

    def state(self, namespace: str) -> NamespaceState:
        return self.states.get(namespace, NamespaceState(namespace))

    def save_state(self, before: NamespaceState, after: NamespaceState) -> None:
        if self.state(after.namespace).number != before.number:
            raise Conflict(
                f"namespace {after.namespace} changed meanwhile", hint="plan again and apply that"
            )
        self.states = {**self.states, after.namespace: after}

    def published(self, namespace: str, at: datetime | None = None) -> Published | None:
        states = self.published_states.get(namespace, ())
        found = [p for p in states if at is None or p.at <= at]
        return found[-1] if found else None

    def publish(self, published: Published) -> None:
        before = self.published_states.get(published.namespace, ())
        self.published_states = {
            **self.published_states,
            published.namespace: (*before, published),
        }

    def readers(self, namespace: str) -> Sequence[tuple[str, Reader]]:
        return self.book_readers

    def services(self, namespace: str) -> Mapping[str, ServiceRecord]:
        return self.state(namespace).services

    def borrowers(self, namespace: str) -> Sequence[tuple[str, ServiceRecord]]:
        return [
            (name, record)
            for name, state in sorted(self.states.items())
            for _, record in sorted(state.services.items())
            if name != namespace and home_pins(namespace, [record])
        ]

    def known_by_key(self, keys: Sequence[str]) -> Sequence[KnownFeature]:
        wanted = set(keys)
        return [
            known_feature(namespace, record)
            for namespace, state in sorted(self.states.items())
            for record in sorted(state.features.values(), key=lambda r: r.ref)
            if record.live and record.definition_key in wanted
        ]

    def live_features(self) -> Iterator[tuple[str, FeatureRecord]]:
        for namespace, state in sorted(self.states.items()):
            for record in sorted(state.features.values(), key=lambda r: r.ref):
                if record.live:
                    yield namespace, record

    def save_sketches(self, namespace: str, sketches: Iterable[ValueSketch], at: datetime) -> None:
        added = {(namespace, sketch.ref): sketch for sketch in sketches}
        self.kept_sketches = {**self.kept_sketches, **added}

    def sketches(self, entity: str) -> Iterator[tuple[str, ValueSketch]]:
        live = {(namespace, record.ref) for namespace, record in self.live_features()}
        for place, sketch in sorted(self.kept_sketches.items()):
            if place in live and sketch.entity == entity:
                yield place[0], sketch

    def save_answer(self, answer: Answer) -> None:
        self.answered = {**self.answered, pair_of(*answer.keys): answer}

    def answers(self, pairs: Iterable[Keys]) -> Mapping[Keys, Answer]:
        wanted = {pair_of(*pair) for pair in pairs}
        return {pair: answer for pair, answer in self.answered.items() if pair in wanted}

    def save_proposed(self, digest: str, features: Iterable[ProposedFeature]) -> None:
        self.proposed = {**self.proposed, digest: tuple(features)}

    def adopt_sketches(self, digest: str, namespace: str, at: datetime) -> None:
        found = self.proposed.get(digest, ())
        self.save_sketches(namespace, [p.sketch for p in found if p.sketch is not None], at)

    def proposed_by_key(self, keys: Sequence[str]) -> Sequence[ProposedFeature]:
        return [p for p in self._open() if p.known.definition_key in set(keys)]

    def proposed_of(self, entity: str) -> Iterator[ProposedFeature]:
        return (p for p in self._open() if p.sketch is not None and p.sketch.entity == entity)

    def _open(self) -> list[ProposedFeature]:
        held = [(digest, p) for digest, made in sorted(self.proposed.items()) for p in made]
        return [p for digest, p in held if self.kept[digest].status in PENDING]

    def value_candidates(
        self, sketch: ValueSketch, limit: int
    ) -> Iterator[tuple[str, FeatureRecord, ValueSketch]]:
        from registry.core.similarity import fingerprints as prints

        records = {(n, r.ref): r for n, r in self.live_features()}
        held = {(n, other.ref): other for n, other in self.sketches(sketch.entity)}
        found: dict[tuple[str, str], None] = {}
        for asked, stored, most in (
            (prints.asked_fingerprints, prints.stored_fingerprints, limit),
            (prints.course_fingerprints, prints.course_fingerprints, limit // 4),
        ):
            wanted = set(asked(sketch))
            shared = {key: len(wanted & set(stored(other))) for key, other in held.items()}
            best = sorted((key for key in held if shared[key]), key=lambda k: (-shared[k], k))
            found |= dict.fromkeys(best[:most])
        for key in found:
            yield key[0], records[key], held[key]

    def index_definitions(self, namespace: str) -> None:
        """Nothing: its look-ups read the definitions themselves."""

    def structure_candidates(
        self, bands: Sequence[int], limit: int
    ) -> Iterator[tuple[str, FeatureRecord]]:
        from registry.core.similarity.minhash import bands as bands_of
        from registry.core.similarity.trees import sql_tree

        found = []
        for namespace, record in self.live_features():
            tree = sql_tree(dict(record.facets).get("expression", ""))
            shared = 0 if tree is None or record.on_demand else len({*bands_of(tree)} & {*bands})
            if shared:
                found.append((-shared, namespace, record.ref, record))
        yield from ((hit[1], hit[3]) for hit in sorted(found, key=lambda hit: hit[:3])[:limit])

    def append(self, events: Iterable[Event]) -> Sequence[ChainedEvent]:
        added = chain(events, self.log[-1] if self.log else None)
        self.log = (*self.log, *added)
        return added

    def events(
        self, subject: str | None = None, until: datetime | None = None, newest: int | None = None
    ) -> Iterator[ChainedEvent]:
        found = [
            c
            for c in self.log
            if (subject is None or subject in c.event.subject)
            and (until is None or c.event.at <= until)
        ]
        return iter(found if newest is None else found[-newest:])

    def save_checkpoint(self, mark: Checkpoint) -> None:
        self.marks = {mark.sequence: mark, **self.marks}

    def checkpoints(self) -> Sequence[Checkpoint]:
        return [self.marks[sequence] for sequence in sorted(self.marks)]

    def save_proposal(self, proposal: Proposal) -> None:
        self.kept = {**self.kept, proposal.digest: proposal}

    def proposal(self, digest: str) -> Proposal:
        prefix = digest if digest.startswith("sha256:") else f"sha256:{digest}"
        found = [p for key, p in self.kept.items() if key.startswith(prefix)]
        if not found:
            raise NotFound("proposal", digest, self.kept, "run fieldhouse propose first")
        if len(found) > 1:
            raise Refused(f"several proposals begin with {digest}", hint="give more digits")
        return found[0]

    def pending(self, namespace: str) -> Sequence[Proposal]:
        found = [p for p in self.kept.values() if p.namespace == namespace and p.status in PENDING]
        return sorted(found, key=lambda p: (p.at, p.digest))

    def proposals(self, namespace: str) -> Sequence[Proposal]:
        found = [p for p in self.kept.values() if p.namespace == namespace]
        return sorted(found, key=lambda p: (p.at, p.digest))

    def save_approval(self, digest: str, approval: Approval) -> None:
        self.consents = {**self.consents, (digest, approval.subject): approval}

    def approvals(self, digest: str) -> Sequence[Approval]:
        return [a for (d, _), a in sorted(self.consents.items()) if d == digest]

    def drop_approval(self, digest: str, subject: str) -> None:
        self.consents = {k: a for k, a in self.consents.items() if k != (digest, subject)}

    def holder(self, subject: str, now: datetime) -> Principal | None:
        return next((p for p in self.holders if same_subject(p.subject, subject)), None)


class InMemoryStore:
    """A `Store` that forgets. Writers wait for one another, as they do in a database."""

    def __init__(self) -> None:
        self.held = InMemoryTransaction()
        self._lock = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[InMemoryTransaction]:
        yield copy(self.held)

    @contextmanager
    def write(self) -> Iterator[InMemoryTransaction]:
        with self._lock:
            working = copy(self.held)
            yield working
            self.held = working
