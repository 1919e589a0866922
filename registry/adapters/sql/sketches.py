"""Sketches of features' values in SQL: one row a feature version."""

import struct
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import from_blob, instant_text, to_blob
from registry.adapters.sql.likeness import put_values
from registry.core.similarity.encoding import Form, Kind
from registry.core.similarity.values import ValueSketch

VERSION = 3  # keys by name, anchors of a ruler; those of other versions are not read


class Stored(msgspec.Struct):
    """A sketch's parts; arrays as little-endian bytes."""

    kind: Kind
    anchors: tuple[datetime, ...]
    keys: bytes
    values: bytes
    words: tuple[tuple[float, str], ...] = ()
    version: int = 1
    form: Form = "number"


def save_sketches(
    connection: sa.Connection, namespace: str, sketches: Iterable[ValueSketch], at: datetime
) -> None:
    """Insert, or replace those of the same feature version; index them to be found."""
    c, made = t.sketch.c, list(sketches)
    for sketch in made:
        where = (c.namespace == namespace) & (c.ref == sketch.ref)
        connection.execute(sa.delete(t.sketch).where(where))
        row = {
            "namespace": namespace,
            "ref": sketch.ref,
            "entity": sketch.entity,
            "at": instant_text(at),
            "body": to_blob(stored_of(sketch)),
        }
        connection.execute(sa.insert(t.sketch).values(row))
    put_values(connection, namespace, made)


def read_sketches(connection: sa.Connection, entity: str) -> Iterator[tuple[str, ValueSketch]]:
    """(namespace, sketch) of the live features of an entity."""
    chosen = _live().where(t.sketch.c.entity == entity)
    ordered = chosen.order_by(t.sketch.c.namespace, t.sketch.c.ref)
    yield from _read(connection.execute(ordered))


def sketches_of(
    connection: sa.Connection, refs: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, ValueSketch]]:
    """(namespace, sketch) of these live (namespace, `view:feature@version`), in their order."""
    for namespace, ref in refs:
        chosen = _live().where(t.sketch.c.namespace == namespace, t.sketch.c.ref == ref)
        yield from _read(connection.execute(chosen))


def _live() -> sa.Select[Any]:
    live = sa.join(
        t.sketch,
        t.feature,
        (t.sketch.c.namespace == t.feature.c.namespace) & (t.sketch.c.ref == t.feature.c.ref),
    )
    return sa.select(t.sketch).select_from(live).where(t.feature.c.state != "retired")


def _read(rows: Iterable[Any]) -> Iterator[tuple[str, ValueSketch]]:
    for row in rows:
        stored = from_blob(row.body, Stored, f"sketch of {row.ref}")
        if stored.version == VERSION:
            yield row.namespace, sketch_of(row.ref, row.entity, stored)


def stored_of(sketch: ValueSketch) -> Stored:
    """A sketch as it is kept."""
    keys = struct.pack(f"<{len(sketch.keys)}Q", *sketch.keys)
    values = np.ascontiguousarray(sketch.values, "<f8").tobytes()
    return Stored(sketch.kind, sketch.anchors, keys, values, sketch.words, VERSION, sketch.form)


def sketch_of(ref: str, entity: str, stored: Stored) -> ValueSketch:
    """A sketch as it was kept."""
    keys = struct.unpack(f"<{len(stored.keys) // 8}Q", stored.keys)
    values = np.frombuffer(stored.values, "<f8").reshape(len(stored.anchors), len(keys))
    return ValueSketch(
        ref, entity, keys, stored.anchors, stored.kind, values, stored.words, form=stored.form
    )
