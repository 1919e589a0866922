"""Makes the rows of a training set: spine, recipe and engine in, one table out. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from registry.core.published import PinnedFeature, PublishedView
from registry.kernel.errors import Invalid
from registry.kernel.progress import Progress
from registry.kernel.refs import parse_ref
from registry.kernel.types import arrow_type
from training.coverage import Answer
from training.recipe import ComputedView, Recipe
from training.served import last_runs, outlived
from training.spec import TrainingSpec
from warehouse.engines.port import EVENT_TIME, EXPIRED, Engine
from warehouse.instants import check_time, in_utc
from warehouse.transforms import compile_transform

SPINE_TIME = "__spine_time"
_TRANSFORM_ROWS = 65_536

Values = Mapping[PinnedFeature, pa.ChunkedArray]


@dataclass(frozen=True, slots=True)
class Assembled:
    """The spine with its feature columns behind it, and what each view answered."""

    table: pa.Table
    answers: tuple[Answer, ...]


def assemble(
    spine: pa.Table, recipe: Recipe, engine: Engine, progress: Progress | None = None
) -> Assembled:
    """Every spine row once, in order, with its own columns and then the recipe's features.

    One view is joined at a time. On-demand views are computed afterwards, from what was joined.
    """
    values: dict[PinnedFeature, pa.ChunkedArray] = {}
    answers = []
    for view in recipe.views:
        joined, answered = _join(spine, view, recipe, engine)
        values |= joined
        answers.append(answered)
        if progress is not None:
            progress.advance()
    for computed in recipe.computed:
        values |= _compute(computed, values, spine)
    table = spine
    for feature in recipe.columns:
        table = table.append_column(feature.column, values[feature.pin])
    return Assembled(table, tuple(answers))


def _join(
    spine: pa.Table, view: PublishedView, recipe: Recipe, engine: Engine
) -> tuple[Values, Answer]:
    pins = [feature.pin for feature in recipe.of_view(view.key)]
    found = engine.as_of(
        keys_and_time(spine, view, recipe.spec),
        SPINE_TIME,
        view,
        [pin.feature for pin in pins],
        as_of=recipe.spec.as_of,
        with_expired=True,
    )
    found = _judged_at_own_time(found, spine, view, recipe.spec)
    answer = Answer(
        view=view.key,
        join_keys=tuple(key.name for key in view.join_keys),
        found=found.column(EVENT_TIME).is_valid(),
        expired=found.column(EXPIRED),
    )
    return {pin: found.column(pin.feature) for pin in pins}, answer


def keys_and_time(spine: pa.Table, view: PublishedView, spec: TrainingSpec) -> pa.Table:
    """All of the spine that a join reads; its other columns are not carried through."""
    check_time(spec.time_column, spine.schema.field(spec.time_column).type, "the spine")
    time = in_utc(spine.column(spec.time_column), spec.time_zone)
    if spec.as_served is not None:
        time = last_runs(time, spec.as_served, spec.time_zone)
    return spine.select([key.name for key in view.join_keys]).append_column(SPINE_TIME, time)


def _judged_at_own_time(
    found: pa.Table, spine: pa.Table, view: PublishedView, spec: TrainingSpec
) -> pa.Table:
    """As served, a value was found at a run before the row; a lookup judges its ttl at the row."""
    late = None
    if spec.as_served is not None:
        times = spine.column(spec.time_column)
        late = outlived(found.column(EVENT_TIME), times, view, spec.time_zone)
    if late is None:
        return found
    columns = [
        pc.or_(column, late)
        if name == EXPIRED
        else pc.if_else(late, pa.scalar(None, column.type), column)
        for name, column in zip(found.column_names, found.columns, strict=True)
    ]
    return pa.table(columns, schema=found.schema)


def _compute(
    computed: ComputedView, values: Values, spine: pa.Table
) -> dict[PinnedFeature, pa.ChunkedArray]:
    """The on-demand view's features, computed some rows at a time."""
    view, transform = computed.view, compile_transform(computed.view)
    given = _given(computed, values, spine)
    starts = range(0, spine.num_rows, _TRANSFORM_ROWS) or (0,)
    answers = [
        transform({n: c.slice(start, _TRANSFORM_ROWS).to_pylist() for n, c in given.items()})
        for start in starts
    ]
    return {
        PinnedFeature(view.key, f.name, f.version, on_demand=True): pa.chunked_array(
            [_array(answer[f.name], f.dtype, f"{view.key}:{f.name}") for answer in answers]
        )
        for f in view.features
    }


def _given(computed: ComputedView, values: Values, spine: pa.Table) -> dict[str, pa.ChunkedArray]:
    given = {field.name: spine.column(field.name) for field in computed.view.request_fields}
    for text, pin in zip(computed.view.inputs, computed.inputs, strict=True):
        ref = parse_ref(text)
        given[f"{ref.view}__{ref.feature}"] = values[pin]
    return given


def _array(values: list[Any], dtype: str, ref: str) -> pa.Array:
    try:
        return pa.array(values, arrow_type(dtype), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Invalid(f"{ref} is declared {dtype}", str(error)) from error
