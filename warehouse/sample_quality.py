"""Runs a view's expectations on a sample of its newest rows, before anything is applied."""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.core.published import PublishedView
from registry.kernel.clock import Clock
from warehouse.engines.port import Engine
from warehouse.quality import check
from warehouse.quality_report import columns_of
from warehouse.samples import NewestValues


@dataclass(frozen=True, slots=True)
class SampledExpectations:
    """A `registry.ports.SampleChecker` over an engine, as of the clock's now."""

    engine: Engine
    clock: Clock
    keys: int = 1000

    def __call__(self, view: PublishedView) -> Sequence[str]:
        """One sentence for each expectation of the view that the sample does not meet.

        The sample has join keys and features; expectations on other columns are left alone.
        """
        sample = NewestValues(self.engine, self.clock)(view, self.keys)
        here = set(sample.column_names)
        tried = [e for e in view.expectations if here.issuperset(columns_of(e))]
        return [failed.sentence for failed in check(sample, tried).failures]
