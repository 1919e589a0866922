"""Reads what the old and the new code of an on-demand view are to be compared on: their inputs for
the same keys as of the same times. Runs neither.

Keys are the sampled ones of each view that is read; where those have different keys, the first key
of the one stands beside the first of the other. Request fields, which nobody stores, are made up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from registry.core.definitions import Scalar
from registry.core.published import PublishedOnDemand, PublishedView
from registry.core.value_diff import ChangedComputed, ComputedSample, SampledColumn
from registry.kernel.clock import Clock
from registry.kernel.errors import Refused
from registry.kernel.refs import parse_ref
from registry.kernel.types import arrow_type
from warehouse.engines.port import Engine
from warehouse.plain_values import CARRIED, plain
from warehouse.sampled_values import AT, at_each_age, is_open, key_texts
from warehouse.samples import NewestValues

Inputs = Mapping[str, PublishedView]
# Seven each: fields that go through them at different paces meet in every combination.
_NUMBERS = (0, 1, 2, 10, 60, 500, 2000)
MADE_UP: Mapping[str, tuple[Scalar, ...]] = {
    "bool": (False, True, True, False, True, False, False),
    "int32": _NUMBERS,
    "int64": _NUMBERS,
    "float32": tuple(n + 0.5 for n in _NUMBERS),
    "float64": tuple(n + 0.5 for n in _NUMBERS),
    "string": ("", "a", "b", "A", "long text", "0", "none"),
}


@dataclass(frozen=True, slots=True)
class ComputedSamples:
    """Samples for on-demand views over an engine, as of the clock's now and before it."""

    engine: Engine
    clock: Clock
    keys: int = 200

    def __call__(self, changed: ChangedComputed) -> ComputedSample:
        """The inputs of both codes. Raises `Refused` for an input whose values unreviewed code may
        not see or JSON cannot carry, else what the engine does."""
        for inputs in (changed.old_inputs, changed.new_inputs):
            _check_open(inputs)
        spine = self.spine([*changed.new_inputs.values(), *changed.old_inputs.values()])
        fields = {f.name: f.dtype for v in (changed.old, changed.new) for f in v.request_fields}
        return ComputedSample(
            old=changed.old,
            new=changed.new,
            features=changed.features,
            keys=tuple(key_texts(spine)),
            at=tuple(spine[AT].to_pylist()),
            before=tuple(self._columns(spine, changed.old, changed.old_inputs)),
            after=tuple(self._columns(spine, changed.new, changed.new_inputs)),
            made_up=tuple(sorted(fields)),
        )

    def spine(self, views: Sequence[PublishedView]) -> pa.Table:
        """Keys for all the views, at each instant."""
        columns: dict[str, Any] = {}
        for view in sorted(views, key=lambda v: -len(v.join_keys)):
            missing = [key.name for key in view.join_keys if key.name not in columns]
            if missing:
                sample = NewestValues(self.engine, self.clock)(view, self.keys)
                columns |= {name: sample[name] for name in missing}
        if not columns:  # it computes from the request alone
            columns = {"row": pa.array(range(1, self.keys + 1))}
        return at_each_age(_equally_long(columns), self.clock())

    def _columns(
        self, spine: pa.Table, view: PublishedOnDemand, inputs: Inputs
    ) -> Iterator[SampledColumn]:
        dtypes = {field.name: field.dtype for field in view.request_fields}
        for text, held in inputs.items():
            ref = parse_ref(text)
            dtypes[f"{ref.view}__{ref.feature}"] = _dtype(held, ref.feature)
        given = self.given(spine, view, inputs)
        for name in given.column_names:
            yield SampledColumn(name, dtypes[name], plain(given[name].to_pylist()))

    def given(self, spine: pa.Table, view: PublishedOnDemand, inputs: Inputs) -> pa.Table:
        """What the view's code is given on the spine: inputs as `view__feature`, request fields."""
        columns: dict[str, Any] = {}
        for text, held in inputs.items():
            ref = parse_ref(text)
            found = self.engine.as_of(spine, AT, held, [ref.feature])
            columns[f"{ref.view}__{ref.feature}"] = found[ref.feature]
        for pace, field in enumerate(view.request_fields, 1):
            columns[field.name] = _made_up(spine, field.dtype, pace)
        return pa.table(columns)


def _equally_long(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Shorter columns begin again; none is left where one is empty."""
    rows = max(map(len, columns.values())) if all(map(len, columns.values())) else 0
    return {
        name: column.take(pa.array([i % len(column) for i in range(rows)], pa.int64()))
        for name, column in columns.items()
    }


def _made_up(spine: pa.Table, dtype: str, pace: int) -> Any:
    """Instants are the row's own; what cannot be made up is null."""
    if dtype == "timestamp":
        return spine[AT]
    choices = MADE_UP.get(dtype, (None,))
    values = [choices[row * pace % len(choices)] for row in range(spine.num_rows)]
    return pa.array(values, arrow_type(dtype))


def _check_open(inputs: Inputs) -> None:
    for text, view in inputs.items():
        name = parse_ref(text).feature
        if not is_open(view, name):
            raise Refused(f"{text} is not for everybody, and unreviewed code is not given it")
        if _dtype(view, name) not in CARRIED:
            raise Refused(f"{text} is {_dtype(view, name)}, which is not compared")


def _dtype(view: PublishedView, name: str) -> str:
    found = view.feature(name)
    return found.dtype if found is not None else ""
