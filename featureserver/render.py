"""Lookup results as Feast's JSON, and a plan's notices as headers. Pure.

Statuses and event times are the same for most features of a view, so each list is rendered once
and reused as raw JSON.
"""

import math
from collections.abc import Sequence
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

import msgspec

from featureserver.answer import PRESENT, Column
from featureserver.instants import EPOCH_TEXT, rfc3339
from featureserver.lookup import LookupResult
from featureserver.plan import Plan
from featureserver.values import convert, to_json

_encode = msgspec.json.Encoder().encode
_FLOATS = frozenset({"float32", "float64"})


def render(result: LookupResult, with_views: bool = False) -> bytes:
    """The body of an answer to /get-online-features."""
    count = result.count
    ever, all_present = _epochs(count), _all_present(count)
    results: list[dict[str, Any]] = [
        {"values": values, "statuses": all_present, "event_timestamps": ever}
        for values in result.entities.values()
    ]
    shared: dict[int, msgspec.Raw] = {}
    for column in result.columns:
        events = shared.get(id(column.events))
        if events is None:
            events = shared[id(column.events)] = _times(column.events)
        results.append(
            {
                "values": json_values(column),
                "statuses": all_present if column.marks is None else column.marks,
                "event_timestamps": events,
            }
        )
    metadata: dict[str, Any] = {"feature_names": [*result.entities, *result.names]}
    if with_views:
        metadata["feature_view_metadata"] = [
            {"name": view.name, "version": view.line} for view in result.plan.views
        ]
    return _encode({"results": results, "metadata": metadata})


def json_values(column: Column) -> list[Any]:
    """A column's values as JSON has them."""
    if column.dtype in _FLOATS and _all_finite(column.wire):
        return column.wire
    return convert(column.wire, to_json(column.dtype))


def _all_finite(values: list[Any]) -> bool:
    """Whether surely every value is a finite number or null; a huge sum may say no."""
    try:
        return math.isfinite(sum(values))
    except TypeError:
        return all(value is None or math.isfinite(value) for value in values)


def _times(events: Sequence[int]) -> msgspec.Raw:
    return msgspec.Raw(_encode([rfc3339(event) if event else EPOCH_TEXT for event in events]))


@lru_cache(maxsize=256)
def _all_present(count: int) -> msgspec.Raw:
    return msgspec.Raw(_encode([PRESENT] * count))


@lru_cache(maxsize=256)
def _epochs(count: int) -> msgspec.Raw:
    return msgspec.Raw(_encode([EPOCH_TEXT] * count))


@lru_cache(maxsize=1024)
def notice_headers(plan: Plan) -> tuple[tuple[bytes, bytes], ...]:
    """`Deprecation` (RFC 9745), `Sunset` (RFC 8594, the first one) and what replaces what.

    The registry does not say since when; `Deprecation` gives the published state's own instant.
    """
    if not plan.notices:
        return ()
    headers = [(b"deprecation", b"@%d" % int(plan.at.timestamp()))]
    sunsets = [notice.sunset for notice in plan.notices if notice.sunset is not None]
    if sunsets:
        headers.append((b"sunset", format_datetime(min(sunsets), usegmt=True).encode()))
    told = [
        f"{notice.ref}; replaced-by={notice.replaced_by}" if notice.replaced_by else notice.ref
        for notice in plan.notices
    ]
    headers.append((b"fieldhouse-deprecated", ", ".join(told).encode("latin-1", "replace")))
    return tuple(headers)
