"""Checks of a built set: coverage, ttl, constants, leakage. Pure; each says numbers and what to do.

Drift between parts is in `training.drift`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from registry.core.findings import Finding, Severity
from training.coverage import Coverage
from training.leakage import label_numbers, predictive_power, ways_to_tell
from warehouse.instants import ticks_of, ticks_of_column
from warehouse.profiles import ColumnProfile

_SAMPLE = 50_000
_MUCH_EXPIRED = 0.1
_FEW_KEYS = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a check speaks; see `training.settings`."""

    least_coverage: float = 0.5
    leakage: float = 0.98


def check_coverage(coverage: Iterable[Coverage], limits: Limits) -> Iterator[Finding]:
    """Views that answer few rows, and views whose ttl leaves many rows without a value."""
    for view in coverage:
        if view.rows and view.share < limits.least_coverage:
            yield _finding(
                "low-coverage",
                f"{view.view} answers {view.found} of {view.rows} rows ({view.share:.1%})",
                view.view,
                "look whether the keys match, and whether history begins early enough",
            )
        elif view.keys and view.key_share < _FEW_KEYS:
            yield _finding(
                "low-key-coverage",
                f"{view.view} answers {view.keys_found} of {view.keys} different keys"
                f" ({view.key_share:.1%})",
                view.view,
                "rare keys have no values: serving will miss them as well",
                "notice",
            )
        if view.rows and view.expired / view.rows > _MUCH_EXPIRED:
            yield _finding(
                "expired-values",
                f"the ttl of {view.view} leaves {view.expired} of {view.rows} rows without a value"
                f" ({view.expired / view.rows:.1%})",
                view.view,
                "serving will miss them as well; lengthen the ttl or refresh the source more often",
                "notice",
            )


def check_constants(profiles: Mapping[str, ColumnProfile], part: str = "") -> Iterator[Finding]:
    """Columns that say nothing: all null, or one value throughout."""
    where = f" in part {part!r}" if part else ""
    for name, profile in profiles.items():
        if profile.rows and profile.nulls == profile.rows:
            yield _finding("all-null", f"{name} is null in every row{where}", name, _LEAVE_OUT)
        elif _constant(profile):
            message = f"{name} is {profile.minimum!r} in every row{where}"
            yield _finding("constant", message, name, _LEAVE_OUT)


def check_leakage(
    sample: pa.Table, label: str, features: Sequence[str], limits: Limits
) -> Iterator[Finding]:
    """Features that alone predict the label nearly perfectly, in a sample of the rows."""
    target = label_numbers(sample.column(label))
    if target is None:
        return
    for name in features:
        for how, values in ways_to_tell(sample.column(name), target):
            power = predictive_power(values, target)
            if power is not None and power >= limits.leakage:
                yield _finding(
                    "leakage",
                    f"{how}{name} alone predicts {label} almost perfectly ({power:.3f} of 1)",
                    name,
                    "ask when this value becomes known: before the label, or with it?",
                )


def check_label_known(early: int, rows: int, label: str) -> Iterator[Finding]:
    """Rows whose label is known before their own time, so that features may hold it."""
    if early:
        yield _finding(
            "label-before-row",
            f"{label} of {early} of {rows} rows is known before the row's own time",
            label,
            "take an earlier time for these rows, or features may hold what they shall predict",
        )


def count_early(known: pa.ChunkedArray, times: pa.ChunkedArray, zone: str) -> int:
    """How many rows have a label that is `known`, int64 microseconds since 1970, before their
    time."""
    early: int | None = pc.sum(pc.less(known, ticks_of_column(times, "us", zone))).as_py()
    return early or 0


def check_future(future: int, rows: int) -> Iterator[Finding]:
    """Rows whose time lies after now: they join whatever is newest, which will change."""
    if future:
        message = f"{future} of {rows} spine rows have a time after now"
        yield _finding("future-rows", message, "spine", "leave them out, or mend their time")


def count_future(times: pa.ChunkedArray, now: datetime, zone: str) -> int:
    """How many times lie after now."""
    ticks = ticks_of_column(times, "us", zone)
    future: int | None = pc.sum(pc.greater(ticks, ticks_of(now, "us"))).as_py()
    return future or 0


class EvenSample:
    """Every so-manieth row of `rows` that come in batches, so that about 50,000 are kept."""

    def __init__(self, rows: int) -> None:
        self._step = max(1, -(-rows // _SAMPLE))
        self._seen = 0
        self._kept: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """The next rows."""
        wanted = np.arange(-self._seen % self._step, table.num_rows, self._step)
        self._kept.append(table if self._step == 1 else table.take(pa.array(wanted)))
        self._seen += table.num_rows

    def table(self) -> pa.Table:
        """The rows that were kept."""
        return pa.concat_tables(self._kept)


_LEAVE_OUT = "leave it out, or find out why it does not vary"


def _constant(profile: ColumnProfile) -> bool:
    varied = profile.minimum is None or profile.minimum != profile.maximum
    return not varied and profile.nulls == 0 and profile.rows > 1


def _finding(
    rule: str, message: str, subject: str, hint: str, severity: Severity = "warning"
) -> Finding:
    return Finding(rule, "training", severity, message, subject, hint=hint)
