"""An in-memory registry and builders with good defaults, for the tests of every room."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from registry.core.definitions import JoinKey, Source
from registry.core.published import (
    Published,
    PublishedFeature,
    PublishedService,
    PublishedView,
    RowSchema,
)
from registry.kernel.clock import Clock, FixedClock
from registry.kernel.errors import Conflict, Forbidden, NotFound, Unauthorized
from registry.ports import DatasetRecord, ModelRecord, Principal, Watermark

NOON = datetime(2013, 10, 1, 12, tzinfo=UTC)


def feature(name: str, dtype: str = "float64", **changes: object) -> PublishedFeature:
    """A live production feature of version 1."""
    made = PublishedFeature(
        name=name,
        dtype=dtype,
        version=1,
        state="production",
        meaning=f"sha256:{name}",
        owner="owner@example.com",
        description=f"the {name}",
        unit="1",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def view(
    name: str,
    features: Sequence[PublishedFeature],
    join_keys: Mapping[str, str] | None = None,
    source: Source | None = None,
    **changes: object,
) -> PublishedView:
    """A line 1 view over warehouse table `name`, event time in `event_timestamp`."""
    keys = tuple(JoinKey(key, dtype) for key, dtype in (join_keys or {"id": "int64"}).items())
    made = PublishedView(
        namespace="test",
        name=name,
        line=1,
        entities=tuple(key.name for key in keys),
        join_keys=keys,
        source=source or Source(name, "table", table=name, timestamp_field="event_timestamp"),
        features=tuple(features),
        row_schemas=(RowSchema(1, tuple((f.name, f.dtype) for f in features)),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def published(
    *views: PublishedView, services: Mapping[str, Sequence[str]] | None = None, number: int = 1
) -> Published:
    """A published state; `services` maps a service's name to its references."""
    state = Published(number, NOON, "test", {v.key: v for v in views})
    pinned = {
        name: PublishedService("test", name, tuple(state.resolve(ref) for ref in refs))
        for name, refs in (services or {}).items()
    }
    return replace(state, services=pinned)


class InMemoryWatermarks:
    """A `WatermarkBook` in a dict."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], Watermark] = {}

    def read(self, view_key: str, generation: int) -> Watermark | None:
        return self._marks.get((view_key, generation))

    def write(self, mark: Watermark) -> None:
        self._marks[mark.view_key, mark.generation] = mark


class InMemoryDatasets:
    """A `DatasetBook` in a dict."""

    def __init__(self) -> None:
        self._records: dict[str, DatasetRecord] = {}

    def add(self, record: DatasetRecord) -> None:
        known = self._records.get(record.name)
        if known is not None and known.manifest_digest != record.manifest_digest:
            raise Conflict(f"a training set named {record.name!r} exists", known.manifest_digest)
        self._records.setdefault(record.name, record)

    def get(self, name: str) -> DatasetRecord:
        if name not in self._records:
            raise NotFound("training set", name, self._records)
        return self._records[name]

    def all(self) -> Sequence[DatasetRecord]:
        return tuple(self._records.values())


class InMemoryModels:
    """A `ModelBook` in dicts; `events` lists (actor, action, name, version, reason)."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], ModelRecord] = {}
        self._champions: dict[str, str] = {}
        self.events: list[tuple[str, str, str, str, str]] = []

    def save(self, record: ModelRecord, actor: str, action: str, reason: str = "") -> None:
        self._records[record.name, record.version] = record
        self.events.append((actor, action, record.name, record.version, reason))

    def get(self, name: str, version: str | None = None) -> ModelRecord:
        found = [r for (n, v), r in self._records.items() if n == name and version in (None, v)]
        if not found:
            raise NotFound("model", name, {n for n, _ in self._records})
        return found[-1]

    def all(self, name: str | None = None) -> Sequence[ModelRecord]:
        return tuple(r for (n, _), r in self._records.items() if name in (None, n))

    def champion(self, name: str) -> ModelRecord | None:
        version = self._champions.get(name)
        return self._records[name, version] if version else None

    def set_champion(self, name: str, version: str, actor: str, reason: str = "") -> None:
        self.get(name, version)
        self._champions[name] = version
        self.events.append((actor, "model:champion", name, version, reason))


class InMemoryRegistry:
    """The twin of the SQL registry that other rooms' tests use. `state` can be set at will.

    `tokens` maps a token to its principal.
    """

    def __init__(
        self,
        state: Published | None = None,
        tokens: Mapping[str, Principal] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.state = state if state is not None else Published(0, NOON, "test")
        self.tokens = dict(tokens or {})
        self.clock = clock or FixedClock(NOON)
        self.watermarks = InMemoryWatermarks()
        self.datasets = InMemoryDatasets()
        self.models = InMemoryModels()

    def published(self) -> Published:
        return self.state

    def authority(self, token: str | None, *roles: str) -> Principal:
        if token is None or token not in self.tokens:
            raise Unauthorized("this needs a token", hint="set FIELDHOUSE_AUTH_TOKEN")
        principal = self.tokens[token]
        if roles and not principal.roles & set(roles):
            raise Forbidden(
                f"{principal.subject} may not do this", f"it needs a role of {', '.join(roles)}"
            )
        return principal

    def switch_generation(self, view_key: str, generation: int, actor: str) -> Published:
        old = self.state.view(view_key)
        views = {**self.state.views, view_key: replace(old, generation=generation)}
        self.state = replace(self.state, number=self.state.number + 1, views=views)
        return self.state
