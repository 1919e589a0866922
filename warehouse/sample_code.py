"""Tries the code of an on-demand view on a sample of its inputs: evidence that it can be served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.core.published import PublishedOnDemand, PublishedView
from registry.kernel.clock import Clock
from warehouse.computed_samples import ComputedSamples
from warehouse.computing import Job, compute_apart
from warehouse.engines.port import Engine


@dataclass(frozen=True, slots=True)
class SampledCode:
    """A `registry.ports.CodeChecker` over an engine, as of the clock's now and before it. For code
    that was reviewed: it is given values of any sensitivity."""

    engine: Engine
    clock: Clock

    def __call__(
        self, view: PublishedOnDemand, inputs: Mapping[str, PublishedView]
    ) -> Sequence[str]:
        """One sentence for each way in which it cannot be served: it fails or is stopped, gives
        other types than declared, or null for every row."""
        samples = ComputedSamples(self.engine, self.clock)
        spine = samples.spine(list(inputs.values()))
        if not spine.num_rows:
            return (f"{view.name} has no rows of its inputs to try its code on",)
        (answer,) = compute_apart([Job((view,), samples.given(spine, view, inputs))])
        if isinstance(answer, str):
            return (" ".join(answer.split()),)
        empty = [name for name in answer.column_names if answer[name].null_count == len(answer)]
        return tuple(f"{name!r} is null for each of {len(answer)} rows" for name in empty)
