"""Sketches of features' values for duplicate detection: newest keys, as of fixed anchor times.

What a sketch means, and how two are compared, is `registry.core.similarity.values`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry.core.published import PublishedView
from registry.core.similarity.values import ValueSketch
from registry.kernel.clock import Clock
from registry.kernel.types import element_type
from warehouse.anchors import ANCHOR, keys_looked_at, places_of
from warehouse.engines.port import Engine


@dataclass(frozen=True, slots=True)
class ValueSketcher:
    """A `registry.ports.SketchMaker` over an engine, as of the clock's now."""

    engine: Engine
    clock: Clock

    def __call__(self, view: PublishedView, features: Sequence[str]) -> Sequence[ValueSketch]:
        """A sketch of each named scalar feature. Reads the view's history twice: once for its keys,
        once for their values. None when the view has no rows yet."""
        wanted = [f for f in view.features if f.name in set(features) and is_sketched(f.dtype)]
        lasting = without_ttl(view)
        keys = keys_looked_at(self.engine, lasting, self.clock()) if wanted else None
        if not keys:
            return ()
        places = places_of(keys, self.clock())
        values = self.engine.as_of(places.spine, ANCHOR, lasting, [f.name for f in wanted])
        return [
            places.sketch(f"{view.name}:{f.name}@{f.version}", values.column(f.name).to_pylist())
            for f in wanted
        ]


def without_ttl(view: PublishedView) -> PublishedView:
    """The view to sketch: an expired value still says what the feature computes."""
    return replace(view, ttl_seconds=None)


def is_sketched(dtype: str) -> bool:
    """Whether values of that type are sketched: single ones, of which equality says something."""
    return element_type(dtype) is None and dtype not in ("bytes", "json", "map", "struct")
