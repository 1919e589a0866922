"""A column's values as a sketch keeps them: float64, whatever type they came in. Pure."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

import numpy as np

from registry.core.similarity.relations import Floats
from registry.kernel.canonical import digest_bytes

Kind = Literal["number", "category"]
Form = Literal["number", "text", "time"]
MAX_WORDS, MAX_WORD = 32, 60


def encode(values: Sequence[Any]) -> tuple[Kind, Floats]:
    """A column's values as a sketch keeps them, whatever type they came in."""
    numbers = [_number(value) for value in values]
    if all(number is not None for number in numbers):
        return "number", np.asarray(numbers, dtype=np.float64)
    return "category", np.asarray([_category(value) for value in values], dtype=np.float64)


def form_of(values: Sequence[Any]) -> Form:
    """What a column's values are: texts, times, or numbers; numbers where all are null."""
    first = next((value for value in values if value is not None), None)
    if isinstance(first, date):  # a datetime is one
        return "time"
    return "text" if isinstance(first, str | bytes) else "number"


def words_in(kind: Kind, values: Sequence[Any], encoded: Floats) -> tuple[tuple[float, str], ...]:
    """(hash, text) of the first categories of a column, cut short: for people to read."""
    if kind == "number":
        return ()
    found: dict[float, str] = {}
    for value, code in zip(values, encoded.tolist(), strict=True):
        if value is not None and len(found) < MAX_WORDS:
            found.setdefault(code, str(value)[:MAX_WORD])
    return tuple(found.items())


def _number(value: Any) -> float | None:
    """The value as a number, NaN for null; None when it is a text that is no number."""
    if value is None:
        return float("nan")
    if isinstance(value, date):
        return _seconds(value)
    try:
        return float(value)
    except OverflowError:  # a whole number beyond all floats
        return float("inf") if value > 0 else float("-inf")
    except (TypeError, ValueError):
        return None


def _seconds(value: date) -> float:
    """Since 1970; a date begins at midnight, and what has no zone is of UTC."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _category(value: Any) -> float:
    if value is None:
        return float("nan")
    return float(int(digest_bytes(str(value).strip().encode())[7:20], 16))
