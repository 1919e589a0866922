"""Lookup results as Feast's JSON, and a plan's notices as headers. Pure.

The features of a view share their rows' event times, and mostly their statuses, so each list is
rendered once per answer and reused as raw JSON; the text of an instant is made once.
"""

from collections.abc import Iterator, Sequence
from email.utils import format_datetime
from functools import lru_cache
from itertools import repeat
from math import isfinite
from typing import Any

import msgspec

from featureserver.answer import PRESENT, Block
from featureserver.instants import EPOCH_TEXT, rfc3339
from featureserver.lookup import LookupResult
from featureserver.plan import Plan
from featureserver.values import convert

_encode = msgspec.json.Encoder().encode
_INSTANTS_KEPT = 200_000


class Result(msgspec.Struct, gc=False):
    """One column of an answer."""

    values: Any
    statuses: msgspec.Raw
    event_timestamps: msgspec.Raw


class Answer(msgspec.Struct, gc=False):
    """The body of an answer."""

    results: list[Result]
    metadata: msgspec.Raw


class _Instants(dict[int, str]):
    """RFC 3339 texts by microseconds; forgets all when it has grown large."""

    def __missing__(self, micros: int) -> str:
        if len(self) >= _INSTANTS_KEPT:
            self.clear()
        text = self[micros] = rfc3339(micros)
        return text


_instants = _Instants({0: EPOCH_TEXT})


def render(result: LookupResult, with_views: bool = False) -> bytes:
    """The body of an answer to /get-online-features."""
    count = result.count
    ever, present = _epochs(count), _all_present(count)
    results = [Result(values, present, ever) for values in result.entities.values()]
    times: dict[int, msgspec.Raw] = {}
    marks: dict[int, msgspec.Raw] = {id(None): present}
    for block in result.blocks:
        events = block.events
        told = times.get(id(events))
        if told is None:
            told = times[id(events)] = _times(events)
        statuses = repeat(present) if block.marks is None else _statuses(block.marks, marks)
        results += map(Result, _values(block), statuses, repeat(told))
    return _encode(Answer(results, _metadata(result.plan, tuple(result.entities), with_views)))


def _values(block: Block) -> Sequence[Sequence[Any]]:
    """The columns as JSON has them. A sum is finite only when every number is; a huge one may
    wrongly say no."""
    if block.numbers and isfinite(sum(map(sum, block.wire))):
        return block.wire
    return [
        values
        if feature.floating and isfinite(sum(filter(None, values)))
        else convert(values, feature.as_json)
        for feature, values in zip(block.features, block.wire, strict=True)
    ]


def _statuses(
    columns: Sequence[list[str] | None], known: dict[int, msgspec.Raw]
) -> Iterator[msgspec.Raw]:
    """A list a column, each rendered once; many columns share theirs."""
    for statuses in columns:
        told = known.get(id(statuses))
        if told is None:
            told = known[id(statuses)] = msgspec.Raw(_encode(statuses))
        yield told


def _times(events: Sequence[int]) -> msgspec.Raw:
    joined = '","'.join(map(_instants.__getitem__, events))
    return msgspec.Raw(f'["{joined}"]'.encode()) if events else msgspec.Raw(b"[]")


@lru_cache(maxsize=256)
def _all_present(count: int) -> msgspec.Raw:
    return msgspec.Raw(_encode([PRESENT] * count))


@lru_cache(maxsize=256)
def _epochs(count: int) -> msgspec.Raw:
    return msgspec.Raw(_encode([EPOCH_TEXT] * count))


@lru_cache(maxsize=1024)
def _metadata(plan: Plan, entities: tuple[str, ...], with_views: bool) -> msgspec.Raw:
    told: dict[str, Any] = {"feature_names": [*entities, *plan.names]}
    if with_views:
        told["feature_view_metadata"] = [
            {"name": view.name, "version": view.line} for view in plan.views
        ]
    return msgspec.Raw(_encode(told))


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
