"""Feast's data sources as tables of an engine. Joins nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.field import Field
from feast.infra.offline_stores.file_source import FileSource
from feast.repo_config import RepoConfig

from fieldhouse.feast_files import source_path
from registry.adapters.feast_sources import translate_source
from registry.adapters.feast_types import feature_type
from registry.core.definitions import JoinKey, Source
from registry.core.published import PublishedFeature, PublishedView
from registry.kernel.errors import Unavailable
from registry.kernel.settings import read_settings
from warehouse.bootstrap import open_engine
from warehouse.engines.port import Engine

NO_ENTITY = "__dummy_id"
"""Feast's key of views without entities."""


@dataclass(frozen=True, slots=True)
class OpenSources:
    """An engine in which every one of some Feast sources can be read."""

    engine: Engine
    by_name: dict[str, Source]

    def of(self, source: DataSource) -> Source:
        """Our source behind one of Feast's."""
        return self.by_name[_name(source)]

    def view(self, view: FeatureView, features: Sequence[str], created: bool) -> PublishedView:
        """A Feast view as one that can be joined; keys and values are of the source's own types.

        `created` False leaves created times out of account.
        """
        source = self.of(view.batch_source)
        if not created:
            source = replace(source, created_field=None)
        schema = self.engine.schema(source)
        names = {new: old for old, new in source.field_mapping}
        fields = {field.name: field for field in view.features}

        def dtype(field: Field) -> str:
            column = names.get(field.name, field.name)
            found = schema.field(column).type if column in schema.names else pa.null()
            return stored_type(found) or feature_type(field.dtype)

        keys = [field for field in view.entity_columns if field.name != NO_ENTITY]
        return PublishedView(
            namespace="",
            name=view.name,
            line=1,
            entities=tuple(view.entities),
            join_keys=tuple(JoinKey(key.name, dtype(key)) for key in keys),
            source=source,
            features=tuple(_feature(name, dtype(fields[name])) for name in features),
            row_schemas=(),
            ttl_seconds=view.ttl.total_seconds() if view.ttl else None,
        )


def open_sources(config: RepoConfig, sources: Iterable[DataSource]) -> OpenSources:
    """An engine over the sources' files, and over the project's warehouse for those that are
    queries or name a table of it. Raises `Unavailable` for a file that is not there."""
    by_name, files = {}, {}
    for source in sources:
        ours = translate_source(source)
        if isinstance(source, FileSource):
            path = source_path(config, source.path)
            if path.exists():
                ours = replace(ours, kind="table", table=_name(source))
                files[_name(source)] = path
            elif path.suffix:
                raise Unavailable(f"source {source.name!r} has no file", f"looked at {path}")
        by_name[_name(source)] = ours
    limits = {
        "FIELDHOUSE_WAREHOUSE_MEMORY_LIMIT": getattr(config.offline_store, "memory_limit", ""),
        "FIELDHOUSE_WAREHOUSE_THREADS": str(getattr(config.offline_store, "threads", 0)),
    }
    settings = read_settings(config.repo_path or Path.cwd())
    given = {name: value for name, value in limits.items() if value not in ("", "0")}
    settings = replace(settings, environ={**settings.environ, **given})
    return OpenSources(open_engine(settings, files), by_name)


def stored_type(arrow: pa.DataType) -> str | None:
    """The feature type that holds what an Arrow type holds; None where none does exactly."""
    if pa.types.is_dictionary(arrow):
        return stored_type(arrow.value_type)
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        inner = stored_type(arrow.value_type)
        return f"list<{inner}>" if inner else None
    tests = {
        "bool": pa.types.is_boolean,
        "int64": pa.types.is_integer,
        "float32": lambda t: t in (pa.float16(), pa.float32()),
        "float64": pa.types.is_floating,
        "string": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
        "bytes": lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t),
        "timestamp": lambda t: pa.types.is_timestamp(t) or pa.types.is_date(t),
        "decimal": pa.types.is_decimal,
    }
    small = pa.types.is_signed_integer(arrow) and arrow.bit_width <= 32
    return "int32" if small else next((n for n, test in tests.items() if test(arrow)), None)


def _feature(name: str, dtype: str) -> PublishedFeature:
    return PublishedFeature(name, dtype, 1, "production", "", "", "", "")


def _name(source: DataSource) -> str:
    return str(source.name or source.path)
