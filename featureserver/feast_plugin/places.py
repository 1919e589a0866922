"""Where a Feast view's rows lie: the keys, the row schemas, and who keeps those.

In a governed project the registry says; elsewhere the schemas are kept beside the rows, and a
changed view gets another schema version there.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from featureserver.ports import OnlineStore
from registry.adapters.feast_types import feature_type
from registry.core.definitions import JoinKey, Source
from registry.core.published import Published, PublishedFeature, PublishedView, RowSchema
from registry.kernel.errors import Conflict, NotFound, Refused

ENTITYLESS = JoinKey("__dummy_id", "string")
_decode = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode
_TRIES = 20


class Places(Protocol):
    """Finds the place of a Feast view. `governed`: rows belong to a registry, not to Feast."""

    governed: bool

    def of(self, table: Any, name: str, *, writing: bool) -> PublishedView:
        """The view whose keys and schemas these rows have. `writing`: its newest schema is the
        table's, made so where that is this keeper's to do."""
        ...

    def look_again(self, name: str) -> None:
        """Forget what was read of the view's schemas: a row of an unknown one was met."""
        ...

    def forget(self, table: Any, name: str) -> None:
        """The view is gone: so are its schemas."""
        ...


@dataclass(slots=True)
class GovernedPlaces:
    """Views as the registry published them; a Feast view is the newest line of its name."""

    published: Callable[[], Published]
    refresh_seconds: float = 2.0
    governed: bool = True
    _state: Published | None = None
    _read_at: float = 0.0

    def of(self, table: Any, name: str, *, writing: bool) -> PublishedView:
        views = self._now().views
        lines = [view for view in views.values() if view.name == table.name]
        if not lines:
            raise NotFound("feature view", table.name, views)
        return max(lines, key=lambda view: (view.ready or writing, view.line))

    def look_again(self, name: str) -> None:
        self._state = None

    def _now(self) -> Published:
        """The published state, asked for anew when it is due."""
        now = time.monotonic()
        if self._state is None or now - self._read_at > self.refresh_seconds:
            self._state, self._read_at = self.published(), now
        return self._state

    def forget(self, table: Any, name: str) -> None:
        raise Refused(f"view {name!r} is governed", hint="retire it in its repository")


class KeptPlaces:
    """Views as Feast describes them, with row schemas that are kept in the online store."""

    governed = False

    def __init__(self, store: OnlineStore, project: str) -> None:
        self._store = store
        self._project = project
        self._kept_in = f"{project}/schemas"
        self._lock = threading.Lock()
        self._known: dict[str, tuple[RowSchema, ...]] = {}

    def of(self, table: Any, name: str, *, writing: bool) -> PublishedView:
        columns = tuple((field.name, feature_type(field.dtype)) for field in table.features)
        with self._lock:
            schemas = self._known.get(name, ())
            if writing and (not schemas or schemas[-1].columns != columns):
                self._known[name] = schemas = self._agreed(name, columns)
            elif not schemas:
                self._known[name] = schemas = self._read(name)
        return self._view(table, name, columns, schemas or (RowSchema(1, columns),))

    def look_again(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)

    def forget(self, table: Any, name: str) -> None:
        with self._lock:
            for note in self._store.notes(self._kept_in):
                if note.rpartition("/")[0] == name:
                    self._store.drop_note(self._kept_in, note)
            self._known.pop(name, None)

    def _read(self, name: str) -> tuple[RowSchema, ...]:
        found = [
            RowSchema(int(note.rpartition("/")[2]), _decode(value))
            for note, value in self._store.notes(self._kept_in).items()
            if note.rpartition("/")[0] == name
        ]
        return tuple(sorted(found, key=lambda schema: schema.version))

    def _agreed(self, name: str, columns: tuple[tuple[str, str], ...]) -> tuple[RowSchema, ...]:
        """The schemas with one of these columns as the newest, added where it is not there; of two
        writers that add at once, one adds and the other looks again."""
        for _ in range(_TRIES):
            schemas = self._read(name)
            if schemas and schemas[-1].columns == columns:
                return schemas
            number = schemas[-1].version + 1 if schemas else 1
            value = msgspec.json.encode(columns)
            self._store.add_note(self._kept_in, f"{name}/{number}", value)
        raise Conflict(
            f"the row schema of view {name!r} changes all the time",
            "writers with different definitions of it are at work",
            "apply one definition and write again",
        )

    def _view(
        self,
        table: Any,
        name: str,
        columns: Sequence[tuple[str, str]],
        schemas: tuple[RowSchema, ...],
    ) -> PublishedView:
        keys = tuple(JoinKey(f.name, feature_type(f.dtype)) for f in table.entity_columns)
        ttl = getattr(table, "ttl", None)
        return PublishedView(
            namespace=self._project,
            name=name,
            line=1,
            entities=tuple(table.entities),
            join_keys=keys or (ENTITYLESS,),
            source=Source(name, "push"),
            features=tuple(_feature(column, dtype) for column, dtype in columns),
            row_schemas=schemas,
            ttl_seconds=ttl.total_seconds() if ttl else None,
        )


def _feature(name: str, dtype: str) -> PublishedFeature:
    return PublishedFeature(name, dtype, 1, "production", "", "", "", "")
