"""What expectations are about and what they found, as values and in words. Reads no data.

Kept apart from `warehouse.quality`, so that a report can be read without what it takes to make one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from registry.core.definitions import Expectation

_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")


@dataclass(frozen=True, slots=True)
class QualityResult:
    """One expectation's outcome. `observed` is JSON text of what GX saw; `error` says why it could
    not look; `sampled` that it looked at an even sample of the rows."""

    kind: str
    arguments: str
    success: bool
    observed: str = ""
    unexpected: int = 0
    unexpected_share: float = 0.0
    error: str = ""
    sampled: bool = False

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        what = f"{self.kind}({arguments_of_text(self.arguments)})"
        if self.success:
            return f"{what} holds"
        if self.error:
            return f"{what} could not be run: {self.error}"
        share = (
            f", {self.unexpected} values ({self.unexpected_share:.2%})" if self.unexpected else ""
        )
        return f"{what} fails{share}"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All outcomes. `rows_checked` is less than `rows` where some looked at an even sample."""

    rows: int
    rows_checked: int
    engine: str
    results: tuple[QualityResult, ...] = ()

    @property
    def success(self) -> bool:
        return all(result.success for result in self.results)

    @property
    def failures(self) -> tuple[QualityResult, ...]:
        return tuple(result for result in self.results if not result.success)


def arguments_of(expectation: Expectation) -> dict[str, Any]:
    """The keyword arguments, as plain data."""
    arguments: dict[str, Any] = json.loads(expectation.arguments or "{}")
    return arguments


def arguments_of_text(arguments: str) -> str:
    """`column='a', mostly=0.9`, say."""
    return ", ".join(f"{k}={v!r}" for k, v in json.loads(arguments or "{}").items())


def columns_needed(expectations: Sequence[Expectation], known: Sequence[str]) -> list[str]:
    """The columns to read for these expectations: the named ones that exist."""
    wanted = {column for expectation in expectations for column in columns_of(expectation)}
    return [column for column in known if column in wanted]


def columns_of(expectation: Expectation) -> list[str]:
    """The columns that an expectation is about; none for one on the whole table."""
    arguments = arguments_of(expectation)
    given = (arguments[name] for name in _COLUMN_ARGUMENTS if name in arguments)
    return [column for name in given for column in ([name] if isinstance(name, str) else name)]
