"""Feast data sources to ours, by logical name. Where a table lies is configuration, not meaning."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from registry.adapters.feast_types import feature_type
from registry.core.definitions import NOWHERE, JoinKey, Location, Source
from registry.kernel.errors import Invalid

Locate = Callable[[object], Location]
TIE_BREAKER = "fieldhouse.tie_breaker"
"""The tag of a source that names the column by which rows of the same times are told apart."""
_STREAMS = {"PushSource": "push", "KafkaSource": "stream", "KinesisSource": "stream"}


def nowhere(_: object) -> Location:
    """A `Locate` for objects whose place is not known."""
    return NOWHERE


def translate_source(source: Any, locate: Locate = nowhere) -> Source:
    """One Feast source as ours. Raises `Invalid` for a kind that holds neither table nor query."""
    kind = type(source).__name__
    if kind == "RequestSource":
        return Source(source.name, "request", fields=request_fields(source))
    if kind in _STREAMS:
        return _stream(source, _STREAMS[kind], locate)
    query = getattr(source, "query", None)
    table = None if query else _table(source)
    if not query and not table:
        raise Invalid(
            f"source {source.name!r} of kind {kind} has neither a table nor a query",
            hint="use SqlSource, or FileSource with a table's logical name",
        )
    return Source(
        name=source.name,
        kind="sql" if query else "table",
        table=table,
        query=query or None,
        timestamp_field=source.timestamp_field or None,
        created_field=source.created_timestamp_column or None,
        field_mapping=tuple(sorted(source.field_mapping.items())),
        tie_breaker=(getattr(source, "tags", None) or {}).get(TIE_BREAKER),
        file=_file(source),
        location=locate(source),
    )


def request_fields(source: Any) -> tuple[JoinKey, ...]:
    """The fields of a Feast `RequestSource`, in order."""
    return tuple(JoinKey(field.name, feature_type(field.dtype)) for field in source.schema)


def _stream(source: Any, kind: str, locate: Locate) -> Source:
    if source.batch_source is None:
        raise Invalid(f"{kind} source {source.name!r} has no batch source for its history")
    batch = translate_source(source.batch_source, locate)
    return Source(
        name=source.name,
        kind="push" if kind == "push" else "stream",
        timestamp_field=batch.timestamp_field,
        created_field=batch.created_field,
        field_mapping=batch.field_mapping,
        tie_breaker=batch.tie_breaker,
        batch=batch,
        location=locate(source),
    )


def _file(source: Any) -> str | None:
    """The last part of a file source's path."""
    path = getattr(source, "path", None)
    return PurePosixPath(path).name if path else None


def _table(source: Any) -> str | None:
    """The logical name: a file source's own name, or the stem of its path when it has none."""
    path = getattr(source, "path", None)
    if path:
        named = source.name if source.name and source.name != path else PurePosixPath(path).stem
        return str(named)
    return getattr(source, "table", None) or None
