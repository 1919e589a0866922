"""Reads what two definitions of a view give for the same keys and times.

Cost is bounded by the sample: the same few hundred keys each time (those of the smallest hashes) at
a few instants. What the engine must read to answer is the source's own size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from registry.core.published import PublishedView
from registry.core.value_diff import OPEN, ValueDiff
from registry.kernel.clock import Clock
from warehouse.engines.port import Engine
from warehouse.samples import NewestValues
from warehouse.value_diffs import diff_values

AT = "__at"
AGES = (timedelta(0), timedelta(days=1), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class SampledValues:
    """Compares values over an engine, as of the clock's now and before it."""

    engine: Engine
    clock: Clock
    keys: int = 200
    examples: int = 5

    def __call__(
        self, old: PublishedView, new: PublishedView, features: Sequence[str]
    ) -> Sequence[ValueDiff]:
        """One diff a feature. Both views have the same join keys; raises what the engine does.

        Of a feature that is not for everybody no value is shown.
        """
        keys = NewestValues(self.engine, self.clock)(old, self.keys)
        spine = at_each_age({k.name: keys[k.name] for k in old.join_keys}, self.clock())
        before = self.engine.as_of(spine, AT, old, features)
        after = self.engine.as_of(spine, AT, new, features)
        shown, at = key_texts(spine), spine[AT].to_pylist()
        return [
            concealed(
                diff_values(
                    f"{old.name}:{name}",
                    shown,
                    at,
                    before[name].to_pylist(),
                    after[name].to_pylist(),
                    self.examples,
                ),
                is_open(old, name) and is_open(new, name),
            )
            for name in features
        ]


def at_each_age(columns: Mapping[str, Any], now: datetime) -> pa.Table:
    """Each row of the columns at each instant, in the column `AT`."""
    keys = pa.table(dict(columns))
    parts = [
        keys.append_column(AT, pa.array([now - age] * keys.num_rows, pa.timestamp("us", "UTC")))
        for age in AGES
    ]
    return pa.concat_tables(parts)


def key_texts(spine: pa.Table) -> list[str]:
    """The key of each row, to show."""
    return [", ".join(map(str, row.values())) for row in spine.drop_columns([AT]).to_pylist()]


def is_open(view: PublishedView, name: str) -> bool:
    """Whether a feature's values may be shown to whoever reads a pull request."""
    found = view.feature(name)
    return found is not None and found.sensitivity in OPEN


def concealed(diff: ValueDiff, shown: bool) -> ValueDiff:
    """The diff without any value, unless they may be shown."""
    return diff if shown else replace(diff, buckets=(), examples=())
