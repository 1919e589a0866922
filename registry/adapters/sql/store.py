"""The `Store` port on a SQL database. Joins the other modules of this folder; no SQL of its own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from registry.adapters.sql import (
    answers,
    audit_log,
    books,
    likeness,
    proposal_log,
    proposed,
    published_reader,
    states,
    tokens,
)
from registry.adapters.sql import sketches as sketch_rows
from registry.adapters.sql.database import Database
from registry.core.audit import ChainedEvent, Checkpoint, Event
from registry.core.duplication import KnownFeature, ProposedFeature
from registry.core.policy import Approval
from registry.core.proposals import Proposal
from registry.core.published import Published
from registry.core.readers import Reader
from registry.core.similarity.likeness import Answer, Keys
from registry.core.similarity.values import ValueSketch
from registry.core.state import FeatureRecord, NamespaceState, ServiceRecord
from registry.ports import Principal


class SqlTransaction:
    """One transaction on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def state(self, namespace: str) -> NamespaceState:
        return states.load_state(self._connection, namespace)

    def save_state(self, before: NamespaceState, after: NamespaceState) -> None:
        states.save_state(self._connection, before, after)

    def published(self, namespace: str, at: datetime | None = None) -> Published | None:
        return published_reader.load_published(self._connection, namespace, at)

    def publish(self, published: Published) -> None:
        states.save_published(self._connection, published)

    def readers(self, namespace: str) -> Sequence[tuple[str, Reader]]:
        return books.book_readers(self._connection, namespace)

    def services(self, namespace: str) -> Mapping[str, ServiceRecord]:
        return states.load_services(self._connection, namespace)

    def borrowers(self, namespace: str) -> Sequence[tuple[str, ServiceRecord]]:
        return states.borrowers(self._connection, namespace)

    def known_by_key(self, keys: Sequence[str]) -> Sequence[KnownFeature]:
        return states.known_by_key(self._connection, list(keys))

    def live_features(self) -> Iterator[tuple[str, FeatureRecord]]:
        return states.live_features(self._connection)

    def save_sketches(self, namespace: str, sketches: Iterable[ValueSketch], at: datetime) -> None:
        sketch_rows.save_sketches(self._connection, namespace, sketches, at)

    def sketches(self, entity: str) -> Iterator[tuple[str, ValueSketch]]:
        return sketch_rows.read_sketches(self._connection, entity)

    def save_answer(self, answer: Answer) -> None:
        answers.save_answer(self._connection, answer)

    def answers(self, pairs: Iterable[Keys]) -> Mapping[Keys, Answer]:
        return answers.read_answers(self._connection, pairs)

    def save_proposed(self, digest: str, features: Iterable[ProposedFeature]) -> None:
        proposed.save_proposed(self._connection, digest, features)

    def adopt_sketches(self, digest: str, namespace: str, at: datetime) -> None:
        found = proposed.proposed_in(self._connection, digest)
        self.save_sketches(namespace, [p.sketch for p in found if p.sketch is not None], at)

    def proposed_by_key(self, keys: Sequence[str]) -> Sequence[ProposedFeature]:
        return proposed.proposed_by_key(self._connection, list(keys))

    def proposed_of(self, entity: str) -> Iterator[ProposedFeature]:
        return proposed.proposed_of(self._connection, entity)

    def value_candidates(
        self, sketch: ValueSketch, limit: int
    ) -> Iterator[tuple[str, FeatureRecord, ValueSketch]]:
        from registry.core.similarity.fingerprints import asked_fingerprints, course_fingerprints

        numbers, course = asked_fingerprints(sketch), course_fingerprints(sketch)
        found = list(likeness.find(self._connection, likeness.VALUES, numbers, limit))
        found += likeness.find(self._connection, likeness.COURSES, course, limit // 4)
        refs = list(dict.fromkeys(found))
        records = {(n, r.ref): r for n, r in states.features_of(self._connection, refs)}
        for namespace, other in sketch_rows.sketches_of(self._connection, refs):
            yield namespace, records[namespace, other.ref], other

    def index_definitions(self, namespace: str) -> None:
        records = states.load_state(self._connection, namespace).features.values()
        likeness.put_definitions(self._connection, namespace, records)

    def structure_candidates(
        self, bands: Sequence[int], limit: int
    ) -> Iterator[tuple[str, FeatureRecord]]:
        refs = list(likeness.find(self._connection, likeness.STRUCTURE, bands, limit))
        return states.features_of(self._connection, refs)

    def append(self, events: Iterable[Event]) -> Sequence[ChainedEvent]:
        return audit_log.append_events(self._connection, events)

    def events(
        self, subject: str | None = None, until: datetime | None = None, newest: int | None = None
    ) -> Iterator[ChainedEvent]:
        return audit_log.read_events(self._connection, subject, until, newest)

    def save_checkpoint(self, mark: Checkpoint) -> None:
        audit_log.save_checkpoint(self._connection, mark)

    def checkpoints(self) -> Sequence[Checkpoint]:
        return audit_log.read_checkpoints(self._connection)

    def save_proposal(self, proposal: Proposal) -> None:
        proposal_log.save_proposal(self._connection, proposal)

    def proposal(self, digest: str) -> Proposal:
        return proposal_log.find_proposal(self._connection, digest)

    def pending(self, namespace: str) -> Sequence[Proposal]:
        return proposal_log.pending_proposals(self._connection, namespace)

    def proposals(self, namespace: str) -> Sequence[Proposal]:
        return proposal_log.all_proposals(self._connection, namespace)

    def save_approval(self, digest: str, approval: Approval) -> None:
        proposal_log.save_approval(self._connection, digest, approval)

    def approvals(self, digest: str) -> Sequence[Approval]:
        return proposal_log.read_approvals(self._connection, digest)

    def drop_approval(self, digest: str, subject: str) -> None:
        proposal_log.drop_approval(self._connection, digest, subject)

    def holder(self, subject: str, now: datetime) -> Principal | None:
        return tokens.holder_of(self._connection, subject, now)


class SqlStore:
    """A `Store` on SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with self._database.read() as connection:
            yield SqlTransaction(connection)

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with self._database.write() as connection:
            yield SqlTransaction(connection)
