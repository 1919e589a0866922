"""`FieldhouseOnlineStore`: what Feast calls when its online store is ours. No format lives here."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel
from feast.type_map import feast_value_type_to_python_type

from featureserver.decoders import CORRUPT, FOUND, Decoded, Decoder, Wanted
from featureserver.expiry import expire_seconds
from featureserver.feast_plugin.places import GovernedPlaces, KeptPlaces, Places
from featureserver.feast_plugin.proto_values import ValueCodec, codec
from featureserver.instants import instant_of, micros_of
from featureserver.keys import key_space
from featureserver.rows import pack_wire
from featureserver.stores.opening import open_store
from featureserver.stores.redis import RedisOnlineStore
from registry.adapters.feast_types import feature_type
from registry.core.published import PublishedView, RowSchema
from registry.kernel.errors import Invalid

Written = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
Found = tuple[datetime | None, dict[str, Value] | None]
ROWS_PER_WRITE = 8192


class FieldhouseOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """`online_store:` of a feature_store.yaml.

    `url` is the Redis (redis://, rediss://, unix://). `project_root` names the folder of a governed
    project: then keys and row schemas are its registry's, `url` may be left out, and what Feast's
    own apply deletes stays. `retention_seconds` is how long rows outlive their ttl; 0 keeps them.
    """

    type: Literal["fieldhouse.feast_online.FieldhouseOnlineStore"] = (
        "fieldhouse.feast_online.FieldhouseOnlineStore"
    )
    url: str = ""
    project_root: str = ""
    timeout_seconds: float = 5.0
    retention_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Opened:
    """What one configuration opened."""

    store: RedisOnlineStore
    places: Places
    resources: ExitStack


class FieldhouseOnlineStore(OnlineStore):  # type: ignore[misc]
    """Reads and writes our packed rows. Newest wins: late and repeated batches change nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, str], _Opened] = {}

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        return SupportedAsyncMethods(read=True, write=True)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Written],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows; raises `Invalid` for a value that its field's type does not hold."""
        opened = self._open(config)
        view = opened.places.of(table, _name(config, table), writing=True)
        expiry = expire_seconds(view, config.online_store.retention_seconds)
        codecs = _codecs(table)
        for start in range(0, len(data), ROWS_PER_WRITE):
            part = data[start : start + ROWS_PER_WRITE]
            keys = _keys(view, [row[0] for row in part])
            rows = [_packed(view, codecs, row) for row in part]
            opened.store.write(keys, rows, expire_seconds=expiry)
            if progress is not None:
                progress(len(part))

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Written],
        progress: Callable[[int], Any] | None,
    ) -> None:
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Found]:
        """Event time and values by name for each key, (None, None) where there is no row, or one
        that cannot be read."""
        names = requested_features or [field.name for field in table.features]
        codecs = _codecs(table)
        decoded = self._decoded(config, table, entity_keys, names)
        columns = [
            [codecs[name].proto(wire) for wire in column]
            for name, column in zip(names, decoded.columns, strict=True)
        ]
        marks = decoded.marks or [FOUND] * len(entity_keys)
        return [
            (instant_of(decoded.events[i]), dict(zip(names, row, strict=True)))
            if mark == FOUND
            else (None, None)
            for i, (mark, row) in enumerate(zip(marks, zip(*columns, strict=True), strict=True))
        ]

    def _decoded(
        self, config: RepoConfig, table: FeatureView, entity_keys: list[EntityKey], names: list[str]
    ) -> Decoded:
        """The rows, read with the schemas known here, or again with the ones known now when one
        was not readable."""
        opened, name = self._open(config), _name(config, table)
        types = {field.name: feature_type(field.dtype) for field in table.features}
        wanted = [Wanted(feature, types[feature]) for feature in names]
        view = opened.places.of(table, name, writing=False)
        raw = opened.store.read(_keys(view, entity_keys))
        decoded = Decoder(_schemas(view), wanted).decode(raw)
        if decoded.marks is None or CORRUPT not in decoded.marks:
            return decoded
        opened.places.look_again(name)
        view = opened.places.of(table, name, writing=False)
        return Decoder(_schemas(view), wanted).decode(raw)

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Found]:
        return await asyncio.to_thread(
            self.online_read, config, table, entity_keys, requested_features
        )

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Delete the rows of views that are gone, unless a registry governs them."""
        for table in tables_to_delete:
            self._delete(config, table)

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Delete the rows of all these views, unless a registry governs them."""
        for table in tables:
            self._delete(config, table)
        with self._lock:
            for opened in self._opened.values():
                opened.resources.close()
            self._opened.clear()

    def _is_versioned_read_supported(self) -> bool:
        return True

    def _delete(self, config: RepoConfig, table: FeatureView) -> None:
        opened = self._open(config)
        if opened.places.governed:
            return
        name = _name(config, table)
        opened.store.delete_generation(config.project, name, 1)
        opened.places.forget(table, name)

    def _open(self, config: RepoConfig) -> _Opened:
        settings = config.online_store
        key = (f"{settings.url}|{settings.project_root}", config.project)
        with self._lock:
            if key not in self._opened:
                self._opened[key] = _opened(settings, config.project)
            return self._opened[key]


def _opened(settings: FieldhouseOnlineStoreConfig, project: str) -> _Opened:
    resources = ExitStack()
    url = settings.url
    places: Places | None = None
    if settings.project_root:
        from featureserver.redis_server import running_redis
        from registry.bootstrap import open_registry
        from registry.kernel.settings import read_settings

        found = read_settings(Path(settings.project_root))
        url = url or resources.enter_context(running_redis(found))
        places = GovernedPlaces(open_registry(found).published)
    if not url:
        raise Invalid(
            "online_store names no Redis", hint="give url: redis://host:6379, or project_root"
        )
    store = open_store(url, settings.timeout_seconds)
    resources.callback(store.close)
    return _Opened(store, places or KeptPlaces(store, project), resources)


def _schemas(view: PublishedView) -> dict[int, RowSchema]:
    return {schema.version: schema for schema in view.row_schemas}


def _name(config: RepoConfig, table: FeatureView) -> str:
    name: str = compute_versioned_name(table, config.registry.enable_online_feature_view_versioning)
    return name


def _codecs(table: FeatureView) -> Mapping[str, ValueCodec]:
    return {
        field.name: codec(feature_type(field.dtype), field.dtype.to_value_type())
        for field in table.features
    }


def _keys(view: PublishedView, entities: Sequence[EntityKey]) -> list[bytes]:
    """One key an entity; raises `Invalid` for one with a null or of another type."""
    columns: dict[str, list[Any]] = {key.name: [] for key in view.join_keys}
    for entity in entities:
        values = dict(zip(entity.join_keys, entity.entity_values, strict=True))
        for name, column in columns.items():
            value = values.get(name)
            column.append(None if value is None else feast_value_type_to_python_type(value))
    keys = key_space(view).keys(columns)
    whole = [key for key in keys if key is not None]
    if len(whole) < len(keys):
        raise Invalid(f"row {keys.index(None)}: a join key of {view.name!r} is null")
    return whole


def _packed(view: PublishedView, codecs: Mapping[str, ValueCodec], row: Written) -> bytes:
    _, values, event, created = row
    wire = {
        name: codecs[name].wire(values[name])
        for name, _ in view.row_schema.columns
        if name in values and name in codecs
    }
    made = None if created is None else micros_of(_aware(created))
    return pack_wire(view.row_schema, wire, micros_of(_aware(event)), made)


def _aware(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
