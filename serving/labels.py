"""Labels: what turned out to be true, by prediction id. Kept as segments beside the log.

A label that comes again corrects the one before; which prediction it belongs to is found when the
two are read together.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from registry.kernel.clock import Clock, parse_instant
from registry.kernel.errors import FieldhouseError, Invalid, Unavailable
from serving.bundle import check_name

MOST_AT_ONCE = 100_000


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One true value. `row` is the row of a prediction of several rows; `at` is when it was seen,
    RFC 3339, by default now."""

    prediction_id: str
    label: bool | int | float
    row: int = 0
    at: str | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    labels: list[Label]


def read_labels(body: bytes) -> tuple[str, list[Label]]:
    """The model and labels of a body `{"model": …, "labels": [{"prediction_id": …, "label": …}]}`.

    Raises `Invalid`.
    """
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        example = '{"model": "m", "labels": [{"prediction_id": "…", "label": 1}]}'
        raise Invalid("the body holds no labels", str(error), f"send {example}") from error
    return found.model, found.labels


class LabelBook:
    """Writes labels to `folder/<model>/*.parquet`."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def add(self, model: str, labels: Sequence[Label], by: str) -> int:
        """Keep labels, all or none; how many. Raises `Invalid`, or `Unavailable` when the disk
        does not take them."""
        if not labels or len(labels) > MOST_AT_ONCE:
            raise Invalid(f"{len(labels)} labels were sent", f"send 1 to {MOST_AT_ONCE} at once")
        now = self._clock()
        columns = _columns(labels, by, now)
        from serving.segments import label_table, write_segment

        try:
            write_segment(self.folder / check_name(model), label_table(columns), now)
        except OSError as error:
            raise Unavailable(
                "the labels could not be kept", str(error), "send them again"
            ) from error
        return len(labels)


def _columns(labels: Sequence[Label], by: str, now: datetime) -> Mapping[str, list[Any]]:
    return {
        "prediction_id": [label.prediction_id for label in labels],
        "row": [label.row for label in labels],
        "label": [float(label.label) for label in labels],
        "at": [_instant(label, now) for label in labels],
        "received_at": [now] * len(labels),
        "by": [by] * len(labels),
    }


def _instant(label: Label, now: datetime) -> datetime:
    if label.at is None:
        return now
    try:
        return parse_instant(label.at)
    except FieldhouseError as error:
        raise Invalid(f"label of {label.prediction_id!r}: {error.asked}", error.found) from error
