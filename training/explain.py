"""Where each value of one row of a training set came from. Reads snapshots; writes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from registry.core.published import PublishedView
from registry.kernel.clock import format_instant
from training.assemble import SPINE_TIME, keys_and_time
from training.manifest import Manifest, SnapshotFacts
from training.recipe import Recipe
from warehouse.engines.port import CREATED_TIME, EVENT_TIME, Engine
from warehouse.history import History, history_of
from warehouse.instants import in_utc
from warehouse.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class ExplainedValue:
    """One feature's value in a row. `source_row` is the row of the source that it was taken from,
    by the source's own column names; None where there is none. Times are aware UTC, `age_seconds`
    is the row's time less the event's."""

    column: str
    ref: str
    value: Any
    reason: str
    source: str | None = None
    event_time: datetime | None = None
    created_time: datetime | None = None
    age_seconds: float | None = None
    source_row: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One row: its number counted from 0, its time, its join keys, and each feature's value."""

    row: int
    time: datetime | None
    keys: Mapping[str, Any]
    values: tuple[ExplainedValue, ...]

    def __str__(self) -> str:
        return explanation_text(self)


def explain_row(
    one: pa.Table, row: int, manifest: Manifest, engine: Engine, store: SnapshotStore
) -> Explanation:
    """Explain `one`, row number `row` (from 0) of a set, from the snapshots its manifest names.

    Raises `NotFound` for a snapshot that is gone.
    """
    (values,) = one.to_pylist()
    recipe = manifest.recipe
    kept = {one.of: one for one in manifest.snapshots if one.source is not None}
    files = {k.source: store.find(k.digest).path for k in kept.values() if k.source is not None}
    engine = engine.pinned(files)
    found: dict[str, ExplainedValue] = {}
    for view in recipe.views:
        found |= {value.column: value for value in _of_view(one, values, view, recipe, engine)}
        found = _with_rows(found, view, values, kept, store)
    for feature in recipe.columns:
        if feature.column is not None and feature.pin.on_demand:
            found[feature.column] = _computed(feature.column, feature.ref, values, recipe)
    spec = recipe.spec
    keys = dict.fromkeys(key.name for view in recipe.views for key in view.join_keys)
    return Explanation(
        row=row,
        time=in_utc(one.column(spec.time_column), spec.time_zone).to_pylist()[0],
        keys={name: values[name] for name in keys},
        values=tuple(found[f.column] for f in recipe.columns if f.column in found),
    )


def _of_view(
    one: pa.Table, values: Mapping[str, Any], view: PublishedView, recipe: Recipe, engine: Engine
) -> Iterator[ExplainedValue]:
    """Without a ttl, so that the row which the ttl left out is told too."""
    spine = keys_and_time(one, view, recipe.spec)
    unbounded = replace(view, ttl_seconds=None)
    answer = engine.as_of(spine, SPINE_TIME, unbounded, [], as_of=recipe.spec.as_of)
    (times,) = answer.to_pylist()
    at = in_utc(one.column(recipe.spec.time_column), recipe.spec.time_zone)[0].as_py()
    event = times[EVENT_TIME]
    age = (at - event).total_seconds() if event is not None else None
    for feature in recipe.of_view(view.key):
        if feature.column is not None:
            yield ExplainedValue(
                column=feature.column,
                ref=feature.ref,
                value=values[feature.column],
                reason=_reason(view, values, at, age),
                source=view.source.history.name,
                event_time=event,
                created_time=times[CREATED_TIME],
                age_seconds=age,
            )


def _reason(
    view: PublishedView, values: Mapping[str, Any], at: datetime | None, age: float | None
) -> str:
    missing = [key.name for key in view.join_keys if values[key.name] is None]
    if missing:
        return f"the row has no {', '.join(missing)}"
    if at is None:
        return "the row has no time"
    if age is None:
        return "no row of that key had happened and was known by then"
    if view.ttl_seconds is not None and age > view.ttl_seconds:
        return f"the newest row is older than the ttl of {view.ttl_seconds:g} s"
    return "the newest row known by then"


def _with_rows(
    found: dict[str, ExplainedValue],
    view: PublishedView,
    values: Mapping[str, Any],
    snapshots: Mapping[str, SnapshotFacts],
    store: SnapshotStore,
) -> dict[str, ExplainedValue]:
    """The view's values with the source row that has their key and times."""
    history = history_of(view)
    kept = snapshots.get(history.source.name)
    row: Mapping[str, Any] | None = None
    told = dict(found)
    for column, value in found.items():
        if value.source != history.source.name or value.event_time is None or kept is None:
            continue
        if value.source_row is None:
            row = row or _source_row(history, value, values, kept, store)
            told[column] = replace(value, source_row=row)
    return told


def _source_row(
    history: History,
    value: ExplainedValue,
    values: Mapping[str, Any],
    kept: SnapshotFacts,
    store: SnapshotStore,
) -> Mapping[str, Any] | None:
    with pq.ParquetFile(store.find(kept.digest).path) as file:
        for batch in file.iter_batches():
            rows = batch
            for key in history.keys:
                wanted = pa.scalar(values[key.name])
                column = rows.column(key.source_column)
                rows = rows.filter(pc.equal(column, wanted.cast(column.type)))
            found: list[dict[str, Any]] = rows.to_pylist()
            for row in found:
                if _at(row, history, value):
                    return row
    return None


def _at(row: Mapping[str, Any], history: History, value: ExplainedValue) -> bool:
    """Whether a row has the value's times; ones without a zone are not looked at closer."""
    times = [(history.event, value.event_time)]
    if history.created and row[history.created] is not None:
        times.append((history.created, value.created_time))
    return all(
        not isinstance(row[name], datetime) or row[name].tzinfo is None or row[name] == wanted
        for name, wanted in times
    )


def _computed(column: str, ref: str, values: Mapping[str, Any], recipe: Recipe) -> ExplainedValue:
    view = next(c.view for c in recipe.computed if ref.startswith(f"{c.view.key}:"))
    fields = [field.name for field in view.request_fields]
    inputs = ", ".join([*view.inputs, *fields]) or "nothing"
    return ExplainedValue(column, ref, values[column], f"computed on demand from {inputs}")


def explanation_text(found: Explanation) -> str:
    """The explanation as lines to read."""
    time = format_instant(found.time) if found.time is not None else "no time"
    keys = ", ".join(f"{name}={value!r}" for name, value in found.keys.items())
    lines = [f"row {found.row}: {keys} at {time}"]
    for value in found.values:
        lines += ["", f"{value.column} = {value.value!r}  ({value.ref})", f"  {value.reason}"]
        if value.event_time is not None:
            created = format_instant(value.created_time) if value.created_time else "unknown"
            lines.append(
                f"  event {format_instant(value.event_time)}, created {created}, "
                f"{value.age_seconds:,.0f} s old"
            )
        if value.source_row is not None:
            row = ", ".join(f"{name}={cell}" for name, cell in value.source_row.items())
            lines.append(f"  from {value.source}: {row}")
    return "\n".join(lines)
