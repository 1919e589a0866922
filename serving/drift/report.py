"""The drift report: each column, key and answer beside its reference, and the live metric. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.drift.measures import each_of, shares_differ, stability_index, stability_threshold
from serving.drift.past import Past
from serving.drift.performance import Performance, performance_of
from serving.profile import ColumnProfile, KeyProfile, Profile, count_again

CONFIDENCE = 0.99
LITTLE = 0.1
LITTLE_MISSING = 0.02
WINDOWS = 12
FEWEST_ROWS = 50
STEADY, SLIGHT, DRIFTED = "steady", "slight", "drifted"


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column. `verdict` is steady (within chance), slight (beyond chance, little in size) or
    drifted; `threshold` is what chance exceeds once in a hundred reports. `unseen` is the share of
    values that a category did not have in training."""

    name: str
    kind: str
    verdict: str
    psi: float
    threshold: float
    missing: float
    missing_before: float
    unseen: float
    reasons: tuple[str, ...]
    reference: tuple[int, ...]
    found: tuple[int, ...]
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, instants in microseconds: PSI by column, and the metric if it is known."""

    since: int
    until: int
    rows: int
    psi: dict[str, float]
    metric: float | None
    metric_error: float | None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What one version saw. Instants are RFC 3339 texts."""

    model: str
    version: str
    since: str
    until: str
    rows: int
    labelled: int
    reference_rows: int
    confidence: float
    columns: tuple[ColumnDrift, ...]
    performance: Performance | None
    windows: tuple[Window, ...]

    @property
    def drifted(self) -> list[str]:
        """What drifted, the worst first; the metric is called by its name."""
        found = sorted((c for c in self.columns if c.verdict == DRIFTED), key=lambda c: -c.psi)
        names = [column.name for column in found]
        if self.performance is not None and self.performance.worse:
            names.insert(0, self.performance.metric)
        return names


def compare_columns(
    profile: Profile,
    past: Past,
    confidence: float = CONFIDENCE,
    masked: frozenset[str] = frozenset(),
) -> tuple[ColumnDrift, ...]:
    """Every column, key and answer that was logged, beside the reference; not those that the log
    masks."""
    logged = set(past.table.column_names)
    columns = [(f"feature:{c.name}", "feature", c) for c in profile.columns]
    columns += [(f"output:{c.name}", "answer", c) for c in profile.outputs]
    keys = [k for k in profile.keys if f"key:{k.name}" in logged and k.name not in masked]
    columns = [entry for entry in columns if entry[0] in logged and entry[2].name not in masked]
    each = each_of(confidence, len(columns) + len(keys))
    return (
        *(_column(kind, ref, past.column(name), each) for name, kind, ref in columns),
        *(_key(ref, past.values(f"key:{ref.name}"), each) for ref in keys),
    )


def _column(
    kind: str, reference: ColumnProfile, values: NDArray[np.float64], confidence: float
) -> ColumnDrift:
    found = count_again(reference, values)
    unseen = found.unseen / max(1, found.rows - found.missing)
    return _judged(
        reference.name, kind, reference.counts, found.counts,
        (reference.missing, reference.rows), (found.missing, found.rows), unseen,
        reference.edges, confidence,
    )  # fmt: skip


def _key(reference: KeyProfile, values: Sequence[object], confidence: float) -> ColumnDrift:
    """The frequent values by name and all others as one bin; those never seen are counted too."""
    present = [str(value) for value in values if value is not None]
    places = {level: place for place, level in enumerate(reference.levels)}
    named = min(len(reference.levels), 30)
    counts = [0] * (named + 1)
    unseen = 0
    for value in present:
        place = places.get(value)
        unseen += place is None
        counts[named if place is None else min(place, named)] += 1
    before = [*reference.counts[:named], sum(reference.counts[named:]) + reference.others]
    share = unseen / max(1, len(present)) if reference.others == 0 else 0.0
    return _judged(
        reference.name, "key", before, counts,
        (reference.missing, reference.rows), (len(values) - len(present), len(values)), share,
        (), confidence,
    )  # fmt: skip


def _judged(
    name: str,
    kind: str,
    before: Sequence[int],
    counts: Sequence[int],
    missing_before: tuple[int, int],
    missing: tuple[int, int],
    unseen: float,
    edges: tuple[float, ...],
    confidence: float,
) -> ColumnDrift:
    n, m = sum(before), sum(counts)
    bins = sum(1 for b, c in zip(before, counts, strict=True) if b or c)
    psi = stability_index(before, counts) if n and m else 0.0
    threshold = stability_threshold(bins, n, m, confidence)
    shares = missing_before[0] / max(1, missing_before[1]), missing[0] / max(1, missing[1])
    reasons = []
    if psi > threshold and psi >= LITTLE:
        reasons.append(f"PSI {psi:.3f}")
    if shares_differ(*missing_before, *missing, confidence) and (
        abs(shares[1] - shares[0]) >= LITTLE_MISSING
    ):
        reasons.append(f"missing {shares[1]:.1%}, before {shares[0]:.1%}")
    if unseen >= 0.01 and m >= FEWEST_ROWS:
        reasons.append(f"{unseen:.1%} of values never seen in training")
    verdict = DRIFTED if reasons else SLIGHT if psi > threshold else STEADY
    return ColumnDrift(
        name, kind, verdict, psi, threshold, shares[1], shares[0], unseen, tuple(reasons),
        tuple(before), tuple(counts), edges,
    )  # fmt: skip


def windows_of(
    profile: Profile,
    past: Past,
    output: str,
    task: str,
    masked: frozenset[str] = frozenset(),
    count: int = WINDOWS,
) -> tuple[Window, ...]:
    """The past in equal stretches of time; those of fewer than 50 rows are left out."""
    if len(past.times) == 0:
        return ()
    edges = np.linspace(past.times[0], past.times[-1] + 1, count + 1).astype(np.int64)
    found = []
    for since, until in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = past.part(since, until)
        if len(part.times) < FEWEST_ROWS:
            continue
        compared = compare_columns(profile, part, masked=masked)
        psi = {column.name: column.psi for column in compared}
        live = performance_of(part, output, task)
        found.append(
            Window(
                since, until, len(part.times), psi,
                live.value if live else None, live.error if live else None,
            )
        )  # fmt: skip
    return tuple(found)
