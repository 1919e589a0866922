"""Rows of a small view, and the child process that writes batches of them."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from featureserver.keys import key_space
from featureserver.rows import pack
from featureserver.stores.redis import RedisOnlineStore, connect
from registry.testing import NOON, feature, view

VIEW = view("stats", [feature("rate")], {"id": "int64"})


def keys_of(entities: Iterable[int]) -> list[bytes]:
    return [key for key in key_space(VIEW).keys({"id": list(entities)}) if key is not None]


def row(event: int, created: int) -> bytes:
    """The row of an event at that minute, known at that minute; its value says which it is."""
    at = NOON + timedelta(minutes=event)
    values = {"rate": event * 100.0 + created}
    return pack(VIEW.row_schema, values, at, NOON + timedelta(minutes=created))


def write_batches(
    url: str, batches: Sequence[Sequence[tuple[int, int, int]]], together: Any
) -> None:
    """Write batches of (entity, event minute, created minute), starting with the other writers."""
    store = RedisOnlineStore(connect(url, 5.0))
    together.wait()
    for batch in batches:
        store.write(keys_of(e for e, _, _ in batch), [row(event, made) for _, event, made in batch])
    store.close()
