"""Compares two columns of values of the same keys and times. Judges nothing, reads nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from registry.core.value_diff import ValueDiff, ValuePair

BUCKETS = 12
_CLOSE = 1e-9  # parallel sums differ in their last bits


def diff_values(
    feature: str,
    keys: Sequence[str],
    at: Sequence[datetime],
    old: Sequence[Any],
    new: Sequence[Any],
    examples: int = 5,
) -> ValueDiff:
    """What `feature` was and is at each key and instant; all four are equally long."""
    moved = [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if not _same(a, b)]
    moved.sort(key=lambda i: -_distance(old[i], new[i]))
    numeric = all(isinstance(v, (int, float)) for v in (*old, *new) if v is not None)
    compare = _of_numbers if numeric else _of_others
    shift, buckets = compare(_present(old), _present(new))
    return ValueDiff(
        feature=feature,
        rows=len(old),
        changed=len(moved),
        old_nulls=sum(value is None for value in old),
        new_nulls=sum(value is None for value in new),
        shift=shift,
        buckets=buckets,
        examples=tuple(
            ValuePair(keys[i], at[i], _text(old[i]), _text(new[i])) for i in moved[:examples]
        ),
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


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]
