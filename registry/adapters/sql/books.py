"""Watermarks, training sets and models in SQL: the books that other rooms keep in the registry."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.audit_log import append_events, read_events
from registry.adapters.sql.codec import from_text, instant_of, instant_text, to_text
from registry.adapters.sql.database import Database
from registry.core.audit import Event
from registry.core.readers import Reader
from registry.kernel.clock import Clock
from registry.kernel.errors import Conflict, NotFound
from registry.ports import DatasetRecord, ModelRecord, Watermark


class SqlWatermarks:
    """A `WatermarkBook` of one namespace."""

    def __init__(self, database: Database, namespace: str) -> None:
        self._database, self._namespace = database, namespace

    def read(self, view_key: str, generation: int) -> Watermark | None:
        with self._database.read() as connection:
            row = connection.execute(sa.select(t.watermark).where(*self._at(view_key, generation)))
            found = row.first()
        if found is None:
            return None
        return Watermark(view_key, generation, instant_of(found.until), found.rows)

    def write(self, mark: Watermark) -> None:
        row = {
            "namespace": self._namespace,
            "view_key": mark.view_key,
            "generation": mark.generation,
            "until": instant_text(mark.until),
            "rows": mark.rows,
        }
        with self._database.write() as connection:
            connection.execute(
                sa.delete(t.watermark).where(*self._at(mark.view_key, mark.generation))
            )
            connection.execute(sa.insert(t.watermark).values(row))

    def _at(self, view_key: str, generation: int) -> tuple[Any, ...]:
        c = t.watermark.c
        return (
            c.namespace == self._namespace,
            c.view_key == view_key,
            c.generation == generation,
        )


class SqlDatasets:
    """A `DatasetBook` of one namespace, with an audit event for each entry."""

    def __init__(self, database: Database, namespace: str, clock: Clock) -> None:
        self._database, self._namespace, self._clock = database, namespace, clock

    def add(self, record: DatasetRecord) -> None:
        with self._database.write() as connection:
            known = connection.execute(self._rows().where(t.dataset.c.name == record.name)).first()
            if known is not None:
                _same_manifest(known.manifest_digest, record)
                return
            connection.execute(
                sa.insert(t.dataset).values(
                    namespace=self._namespace,
                    name=record.name,
                    manifest_digest=record.manifest_digest,
                    body=to_text(record),
                )
            )
            append_events(connection, [self._event(record, "built", record.created_by)])

    def remove(self, name: str, actor: str, reason: str) -> None:
        record = self.get(name)
        c = t.dataset.c
        with self._database.write() as connection:
            connection.execute(
                sa.delete(t.dataset).where(c.namespace == self._namespace, c.name == name)
            )
            append_events(connection, [self._event(record, "removed", actor, reason)])

    def _event(self, record: DatasetRecord, what: str, actor: str, reason: str = "") -> Event:
        return Event(
            at=self._clock(),
            actor=actor,
            action=f"dataset:{what}",
            subject=record.name,
            reason=reason,
            namespace=self._namespace,
            detail={"manifest": record.manifest_digest, "rows": record.rows},
        )

    def get(self, name: str) -> DatasetRecord:
        found = {record.name: record for record in self.all()}
        if name not in found:
            raise NotFound("training set", name, found)
        return found[name]

    def all(self) -> Sequence[DatasetRecord]:
        with self._database.read() as connection:
            rows = connection.execute(self._rows().order_by(t.dataset.c.name)).all()
        return [from_text(row.body, DatasetRecord, f"training set {row.name}") for row in rows]

    def _rows(self) -> sa.Select[Any]:
        return sa.select(t.dataset).where(t.dataset.c.namespace == self._namespace)


def _same_manifest(known: str, record: DatasetRecord) -> None:
    if known != record.manifest_digest:
        raise Conflict(
            f"a training set named {record.name!r} exists already",
            f"its manifest is {known}",
            "choose another name: a training set never changes",
        )


class SqlModels:
    """A `ModelBook` of one namespace."""

    def __init__(self, database: Database, namespace: str, clock: Clock) -> None:
        self._database, self._namespace, self._clock = database, namespace, clock

    def save(
        self,
        record: ModelRecord,
        actor: str,
        action: str,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        c = t.model.c
        where = (c.namespace == self._namespace, c.name == record.name)
        row = {"state": record.state, "body": to_text(record)}
        with self._database.write() as connection:
            known = sa.update(t.model).where(*where, c.version == record.version).values(row)
            if connection.execute(known).rowcount == 0:
                count = sa.select(sa.func.count()).select_from(t.model).where(*where)
                key = {
                    "namespace": self._namespace,
                    "name": record.name,
                    "version": record.version,
                    "position": (connection.execute(count).scalar() or 0) + 1,
                }
                connection.execute(sa.insert(t.model).values({**key, **row}))
            event = self._event(record.name, record.version, actor, action, reason, detail)
            append_events(connection, [event])

    def get(self, name: str, version: str | None = None) -> ModelRecord:
        records = self.all(name)
        if not records:
            raise NotFound("model", name, {r.name for r in self.all()})
        if version is None:
            return records[-1]
        for record in records:
            if record.version == version:
                return record
        raise NotFound(f"version of model {name}", version, [r.version for r in records])

    def all(self, name: str | None = None) -> Sequence[ModelRecord]:
        query = sa.select(t.model).where(t.model.c.namespace == self._namespace)
        if name is not None:
            query = query.where(t.model.c.name == name)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(t.model.c.name, t.model.c.position)).all()
        return [from_text(row.body, ModelRecord, f"model {row.name}") for row in rows]

    def champion(self, name: str) -> ModelRecord | None:
        query = sa.select(t.champion.c.version).where(
            t.champion.c.namespace == self._namespace, t.champion.c.name == name
        )
        with self._database.read() as connection:
            version = connection.execute(query).scalar()
        return None if version is None else self.get(name, version)

    def set_champion(
        self,
        name: str,
        version: str,
        actor: str,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self.get(name, version)
        where = (t.champion.c.namespace == self._namespace, t.champion.c.name == name)
        row = {"namespace": self._namespace, "name": name, "version": version}
        with self._database.write() as connection:
            connection.execute(sa.delete(t.champion).where(*where))
            connection.execute(sa.insert(t.champion).values(row))
            event = self._event(name, version, actor, "model:champion", reason, detail)
            append_events(connection, [event])

    def note(self, name: str, version: str, actor: str, action: str, reason: str) -> None:
        with self._database.write() as connection:
            event = self._event(name, version, actor, action, reason, None)
            append_events(connection, [event])

    def history(self, name: str) -> Sequence[Event]:
        with self._database.read() as connection:
            events = [chained.event for chained in read_events(connection, f"{name}@")]
        return [event for event in events if self._is_of(event, name)]

    def _is_of(self, event: Event, name: str) -> bool:
        model = event.action.startswith("model:") and event.subject.startswith(f"{name}@")
        return model and event.namespace == self._namespace

    def _event(
        self,
        name: str,
        version: str,
        actor: str,
        action: str,
        reason: str,
        detail: Mapping[str, Any] | None,
    ) -> Event:
        return Event(
            at=self._clock(),
            actor=actor,
            action=action,
            subject=f"{name}@{version}",
            reason=reason,
            namespace=self._namespace,
            detail=detail,
        )


def book_readers(connection: sa.Connection, namespace: str) -> list[tuple[str, Reader]]:
    """(`view:feature@version`, reader) of every training set, living model version and caller.

    Those of other namespaces that read this one's features are called `namespace/name`.
    """
    found = [
        *_set_readers(connection, namespace),
        *_model_readers(connection, namespace),
        *_callers(connection, namespace),
    ]
    return [pair for pair in found if "/" not in pair[0]]


def _set_readers(connection: sa.Connection, namespace: str) -> Iterator[tuple[str, Reader]]:
    for row in connection.execute(sa.select(t.dataset).where(_reads(t.dataset.c, namespace))):
        record = from_text(row.body, DatasetRecord, f"training set {row.name}")
        name = _name_at(record.name, row.namespace, namespace)
        reader = Reader("training set", name, record.created_by)
        yield from ((_ref_at(r, row.namespace, namespace), reader) for r in record.features)


def _model_readers(connection: sa.Connection, namespace: str) -> Iterator[tuple[str, Reader]]:
    living = t.model.c.state.not_in(("retired", "rejected"))
    for row in connection.execute(sa.select(t.model).where(_reads(t.model.c, namespace), living)):
        model = from_text(row.body, ModelRecord, "model")
        name = _name_at(f"{model.name}@{model.version}", row.namespace, namespace)
        reader = Reader("model", name, model.created_by)
        yield from ((_ref_at(r, row.namespace, namespace), reader) for r in model.features)


def _callers(connection: sa.Connection, namespace: str) -> Iterator[tuple[str, Reader]]:
    c = t.usage.c
    theirs = c.ref.startswith(f"{namespace}/", autoescape=True)
    for row in connection.execute(sa.select(t.usage).where((c.namespace == namespace) | theirs)):
        through = _name_at(row.service, row.namespace, namespace)
        name = f"{row.caller or 'unnamed'} through {through}"
        ref = _ref_at(row.ref, row.namespace, namespace)
        yield ref, Reader("caller", name, last_at=instant_of(row.last_at))


def _reads(columns: Any, namespace: str) -> sa.ColumnElement[bool]:
    """Rows of the namespace, and others' that name a feature of it."""
    theirs: sa.ColumnElement[bool] = columns.body.contains(f'"{namespace}/', autoescape=True)
    mine: sa.ColumnElement[bool] = columns.namespace == namespace
    return sa.or_(mine, theirs)


def _name_at(name: str, written_in: str, namespace: str) -> str:
    return name if written_in == namespace else f"{written_in}/{name}"


def _ref_at(ref: str, written_in: str, namespace: str) -> str:
    """A reference as `namespace` writes it: without its own name, with another's."""
    whole = ref if "/" in ref else f"{written_in}/{ref}"
    return whole.removeprefix(f"{namespace}/")
