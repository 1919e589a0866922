"""Compares what two definitions of a view give for the same keys and times. Judges nothing.

Cost is bounded by the sample: the same few hundred keys each time (those of the smallest hashes) at
a few instants. What the engine must read to answer is the source's own size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from registry.core.published import PublishedView
from registry.core.value_diff import ValueDiff, ValuePair
from registry.kernel.clock import Clock
from warehouse.engines.port import Engine
from warehouse.samples import NewestValues

AT = "__at"
BUCKETS = 12
AGES = (timedelta(0), timedelta(days=1), timedelta(days=7))
_CLOSE = 1e-9  # parallel sums differ in their last bits


@dataclass(frozen=True, slots=True)
class SampledValues:
    """A `registry.ports.ValueComparer` over an engine, as of the clock's now and before it."""

    engine: Engine
    clock: Clock
    keys: int = 200
    examples: int = 5

    def __call__(
        self, old: PublishedView, new: PublishedView, features: Sequence[str]
    ) -> Sequence[ValueDiff]:
        """One diff a feature. Both views have the same join keys; raises what the engine does."""
        spine = self._spine(old)
        before = self.engine.as_of(spine, AT, old, features)
        after = self.engine.as_of(spine, AT, new, features)
        return [
            _diff(f"{old.name}:{name}", spine, before[name], after[name], self.examples)
            for name in features
        ]

    def _spine(self, view: PublishedView) -> pa.Table:
        """Each sampled key at each instant."""
        names = [key.name for key in view.join_keys]
        keys = NewestValues(self.engine, self.clock)(view, self.keys).select(names)
        parts = []
        for age in AGES:
            at = pa.array([self.clock() - age] * keys.num_rows, pa.timestamp("us", "UTC"))
            parts.append(keys.append_column(AT, at))
        return pa.concat_tables(parts)


def _diff(
    feature: str, spine: pa.Table, before: pa.ChunkedArray, after: pa.ChunkedArray, most: int
) -> ValueDiff:
    old, new = before.to_pylist(), after.to_pylist()
    moved = [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if not _same(a, b)]
    moved.sort(key=lambda i: -_distance(old[i], new[i]))
    numeric = all(isinstance(v, (int, float)) for v in (*old, *new) if v is not None)
    compare = _of_numbers if numeric else _of_others
    shift, buckets = compare(_present(old), _present(new))
    return ValueDiff(
        feature=feature,
        rows=len(old),
        changed=len(moved),
        old_nulls=old.count(None),
        new_nulls=new.count(None),
        shift=shift,
        buckets=buckets,
        examples=tuple(_pairs(spine, old, new, moved[:most])),
    )


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return bool(np.isclose(old, new, rtol=_CLOSE, atol=0.0, equal_nan=True))
    return bool(old == new)


def _distance(old: Any, new: Any) -> float:
    """How far apart; what came or went is farthest."""
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        gap = abs(float(new) - float(old))
        return gap if np.isfinite(gap) else np.inf
    return np.inf


def _present(values: Sequence[Any]) -> list[Any]:
    return [v for v in values if v is not None and v == v]


def _of_numbers(old: list[Any], new: list[Any]) -> tuple[float, tuple[tuple[str, int, int], ...]]:
    """(Kolmogorov and Smirnov's distance, counts in buckets of equal width)."""
    a, b = np.sort(np.asarray(old, float)), np.sort(np.asarray(new, float))
    if not len(a) or not len(b):
        return (0.0 if len(a) == len(b) else 1.0), ()
    both = np.concatenate([a, b])
    shares = [np.searchsorted(side, both, side="right") / len(side) for side in (a, b)]
    shift = float(np.max(np.abs(shares[0] - shares[1])))
    finite = both[np.isfinite(both)]
    if not len(finite):
        return shift, ()
    edges = np.linspace(finite.min(), finite.max(), BUCKETS + 1)
    counts = [np.histogram(side, edges)[0] for side in (a, b)]
    labels = [f"{low:.4g}" for low in edges[:-1]]
    return shift, tuple(zip(labels, counts[0].tolist(), counts[1].tolist(), strict=True))


def _of_others(old: list[Any], new: list[Any]) -> tuple[float, tuple[tuple[str, int, int], ...]]:
    """(total variation, counts of the most frequent values)."""
    left, right = [str(v) for v in old], [str(v) for v in new]
    values = sorted({*left, *right}, key=lambda v: -(left.count(v) + right.count(v)))
    shift = sum(
        abs(left.count(v) / max(1, len(left)) - right.count(v) / max(1, len(right))) for v in values
    )
    top = values[:BUCKETS]
    return shift / 2, tuple((v, left.count(v), right.count(v)) for v in top)


def _pairs(spine: pa.Table, old: list[Any], new: list[Any], rows: list[int]) -> Iterator[ValuePair]:
    for row, place in zip(spine.take(pa.array(rows, pa.int64())).to_pylist(), rows, strict=True):
        at = row.pop(AT)
        yield ValuePair(", ".join(map(str, row.values())), at, _text(old[place]), _text(new[place]))


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]
