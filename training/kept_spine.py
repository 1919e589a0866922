"""Keeps a build's spine as a snapshot; files that have not changed since are not read again."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from training.maturity import RipeSpine
from training.spec import TrainingSpec
from training.spine import is_query, spine_files
from training.spine_times import check_times
from warehouse.evaluated import lasting_mark
from warehouse.marks import SnapshotMarks
from warehouse.snapshots import Snapshot, SnapshotStore


@dataclass(frozen=True, slots=True)
class KeptSpine:
    """The spine's rows, without the `left_out` ones whose label nobody knew yet."""

    snapshot: Snapshot
    left_out: int = 0


def keep_spine(
    spine: pa.RecordBatchReader, spec: TrainingSpec, store: SnapshotStore, now: datetime
) -> KeptSpine:
    """A snapshot of the rows of `spine`, which is what `spec` names where it names anything.

    Raises what `check_times` does, and `Refused` for labels that are not known at `now`.
    """
    marks, what = SnapshotMarks(store), ["spine", spec.time_column, spec.time_zone]
    mark = _mark(spec)
    known = marks.find(mark, what) if mark is not None else None
    if known is not None:
        return KeptSpine(known)
    checked = check_times(spine, spec.time_column, spec.time_zone, now)
    ripe = RipeSpine(checked, spec.maturity, spec.time_column, spec.time_zone, now)
    snapshot = store.keep(ripe.reader)
    ripe.check()
    if mark is not None and _mark(spec) == mark:
        marks.note(mark, what, snapshot)
    return KeptSpine(snapshot, ripe.left_out)


def _mark(spec: TrainingSpec) -> str | None:
    """What is another as soon as the spine's files are; None for a query, for rows of a program,
    and where the clock decides which rows are ripe."""
    if spec.spine is None or spec.maturity is not None or is_query(spec.spine):
        return None
    return lasting_mark("spine", "", map(str, spine_files(spec.spine)))
