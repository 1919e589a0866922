"""Which rows the candidate is asked about: some by chance, and every corner of the rest. Pure."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from serving.bundle import Golden
from serving.gate.evidence import Evidence
from serving.gate.policy import GatePolicy

Floats = NDArray[np.float64]
_DRAWN = 64
_MOST_CATEGORIES = 64
_MOST_CORNERS = 512


def probe_rows(golden: Golden, evidence: Evidence, policy: GatePolicy) -> Floats:
    """A seeded choice of held-out rows, then corners, then golden rows; float64 [n, width].

    Corners are, of each column, a row without a value, the least and the greatest value, and a row
    of each value where there are few: a category that goes wrong is among them.
    """
    heldout = evidence.heldout
    if heldout is None or heldout.rows.shape[1:] != golden.rows.shape[1:] or not len(heldout.rows):
        return golden.rows
    chooser = np.random.default_rng(policy.seed)
    drawn = chooser.choice(len(heldout.rows), min(_DRAWN, len(heldout.rows)), replace=False)
    places = [*drawn.tolist(), *_corners(heldout.rows)]
    return np.concatenate([heldout.rows[list(dict.fromkeys(places))], golden.rows])


def _corners(rows: Floats) -> list[int]:
    found = [place for column in rows.T for place in _corners_of(column)]
    return list(dict.fromkeys(found))[:_MOST_CORNERS]


def _corners_of(column: Floats) -> Iterator[int]:
    absent = np.flatnonzero(np.isnan(column))
    yield from absent[:1].tolist()
    values, firsts = np.unique(column, return_index=True)
    present = np.isfinite(values)
    values, firsts = values[present], firsts[present]
    if len(values) > _MOST_CATEGORIES:
        firsts = firsts[[0, -1]]
    yield from firsts.tolist()
