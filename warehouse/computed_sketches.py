"""Sketches of on-demand features: their code, run on their inputs as of the anchors.

So a stored feature that is computed in Python again is found by its values, and the other way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from registry.core.published import PinnedFeature, Published, PublishedOnDemand, PublishedView
from registry.core.similarity.values import ValueSketch
from registry.kernel.clock import Clock
from registry.kernel.errors import FieldhouseError, Invalid, Refused
from registry.kernel.refs import parse_ref
from warehouse.anchors import ANCHOR, Places, keys_looked_at, places_of, smallest
from warehouse.computing import Job, compute_apart
from warehouse.engines.port import Engine
from warehouse.value_sketches import is_sketched, without_ttl

Made = tuple[list[ValueSketch], dict[str, str]]


@dataclass(frozen=True, slots=True)
class ComputedSketcher:
    """A `registry.ports.ComputedSketchMaker` over an engine, as of the clock's now."""

    engine: Engine
    clock: Clock

    def __call__(self, published: Published, wanted: Mapping[str, Sequence[str]]) -> Made:
        """Sketches of the wanted features by on-demand view's key, and why views have none: one
        that takes request fields, whose inputs cannot be read, or whose code fails."""
        sampler = _Sampler(self.engine, self.clock, published)
        ready: dict[str, tuple[Places, Job]] = {}
        unread: dict[str, str] = {}
        for key in sorted(wanted):
            try:
                found = sampler.sampled(published.computed(key))
            except FieldhouseError as error:
                unread[key] = str(error)
            else:
                ready |= {} if found is None else {key: found}
        answers = compute_apart([job for _, job in ready.values()]) if ready else []
        sketches: list[ValueSketch] = []
        for (key, (places, job)), answer in zip(ready.items(), answers, strict=True):
            if isinstance(answer, str):
                unread[key] = answer
            else:
                sketches += _sketched(places, job.views[-1], answer, wanted[key])
        return sketches, unread


def _sketched(
    places: Places, view: PublishedOnDemand, answer: pa.Table, wanted: Sequence[str]
) -> list[ValueSketch]:
    return [
        places.sketch(f"{view.name}:{f.name}@{f.version}", answer.column(f.name).to_pylist())
        for f in view.features
        if f.name in wanted and is_sketched(f.dtype)
    ]


@dataclass(frozen=True, slots=True)
class _Sampler:
    """Reads inputs; of stored views the keys once each."""

    engine: Engine
    clock: Clock
    published: Published
    keys: dict[str, pa.Table] = field(default_factory=dict)

    def sampled(self, view: PublishedOnDemand) -> tuple[Places, Job] | None:
        """Where it is looked at, and its inputs there; None when they have no rows yet."""
        views = self._with_its_own(view, ())
        inputs = {ref: self.published.resolve(ref) for one in views for ref in one.inputs}
        stored = {ref: pin for ref, pin in inputs.items() if not pin.on_demand}
        places = self._places(view, {pin.view for pin in stored.values()})
        if places is None:
            return None
        columns: dict[str, pa.ChunkedArray] = {}
        for key in sorted({pin.view for pin in stored.values()}):
            here = {ref: pin for ref, pin in stored.items() if pin.view == key}
            columns |= self._values(places, self.published.view(key), here)
        return places, Job(views, pa.table(columns))

    def _with_its_own(
        self, view: PublishedOnDemand, above: tuple[str, ...]
    ) -> tuple[PublishedOnDemand, ...]:
        """The view behind the on-demand views that it takes from, each once."""
        if view.request_fields:
            names = ", ".join(field.name for field in view.request_fields)
            raise Refused(f"{view.name} takes {names} of each request", "no source has them")
        if view.key in above:
            raise Invalid(f"on-demand view {view.name!r} needs itself")
        found: dict[str, PublishedOnDemand] = {}
        for pin in map(self.published.resolve, view.inputs):
            if pin.on_demand:
                below = self.published.computed(pin.view)
                found |= {v.key: v for v in self._with_its_own(below, (*above, view.key))}
        return (*found.values(), view)

    def _places(self, view: PublishedOnDemand, stored: set[str]) -> Places | None:
        """The keys of the stored views that have all join keys of the inputs."""
        lines = [self.published.view(key) for key in sorted(stored)]
        names = {key.name for line in lines for key in line.join_keys}
        whole = [line for line in lines if {key.name for key in line.join_keys} == names]
        if not whole:
            found = ", ".join(sorted(names))
            raise Invalid(f"no input of {view.name} has the keys {found}", "they are of several")
        tables = [table for table in map(self._keys, whole) if len(table)]
        if not tables:
            return None
        together = pa.concat_tables([table.cast(tables[0].schema) for table in tables])
        distinct = together.group_by(together.column_names).aggregate([])
        return places_of(smallest(distinct.select(together.column_names)), self.clock())

    def _keys(self, line: PublishedView) -> pa.Table:
        if line.key not in self.keys:
            self.keys[line.key] = keys_looked_at(self.engine, line, self.clock())
        return self.keys[line.key]

    def _values(
        self, places: Places, line: PublishedView, inputs: Mapping[str, PinnedFeature]
    ) -> dict[str, pa.ChunkedArray]:
        names = list(dict.fromkeys(pin.feature for pin in inputs.values()))
        values = self.engine.as_of(places.spine, ANCHOR, without_ttl(line), names)
        refs = {ref: parse_ref(ref) for ref in inputs}
        return {
            f"{refs[ref].view}__{refs[ref].feature}": values.column(pin.feature)
            for ref, pin in inputs.items()
        }
