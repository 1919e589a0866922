"""Quality: runs Great Expectations 1.x on a table and says what it found. Decides nothing.

Great Expectations is imported when the first expectation is run; that takes seconds.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from registry.core.definitions import Expectation
from registry.kernel.errors import Invalid, nearest_names

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 100_000
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
_one_at_a_time = threading.Lock()  # Great Expectations keeps its project in a global


@dataclass(frozen=True, slots=True)
class QualityResult:
    """One expectation's outcome. `observed` is JSON text of what GX saw; `error` says why it could
    not look."""

    kind: str
    arguments: str
    success: bool
    observed: str = ""
    unexpected: int = 0
    unexpected_share: float = 0.0
    error: str = ""

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        what = f"{self.kind}({_shown(self.arguments)})"
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
    """All outcomes. `rows_checked` is less than `rows` where an even sample was looked at."""

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


def check(
    table: pa.Table, expectations: Sequence[Expectation], sample_rows: int = SAMPLE_ROWS
) -> QualityReport:
    """Run expectations, by their GX names, on a table.

    Column expectations look at no more than `sample_rows` evenly spaced rows and only at the
    columns they name; expectations on the table itself see its true row count and columns. Raises
    `Invalid` for an expectation GX does not know, or whose arguments it refuses.
    """
    if not expectations:
        return QualityReport(table.num_rows, 0, "none")
    sample = _sample(table, sample_rows)
    on_columns = [e for e in expectations if _columns(e)]
    on_table = [e for e in expectations if not _columns(e)]
    outcomes: dict[Expectation, QualityResult] = {}
    with _one_at_a_time, _quiet():
        if on_columns:
            outcomes |= _run(_frame(sample, on_columns), on_columns)
        if on_table:
            outcomes |= _run(_outline(table), on_table)
    results = tuple(outcomes[expectation] for expectation in expectations)
    return QualityReport(table.num_rows, sample.num_rows, _engine(), results)


def columns_needed(expectations: Sequence[Expectation], known: Sequence[str]) -> list[str]:
    """The columns to read for these expectations: the named ones that exist."""
    named = {column for expectation in expectations for column in _columns(expectation)}
    return [column for column in known if column in named]


def _run(
    frame: "pd.DataFrame", expectations: Sequence[Expectation]
) -> dict[Expectation, QualityResult]:
    gx = _great_expectations()
    project = gx.get_context(mode="ephemeral")
    project.variables.progress_bars = {"globally": False}
    asset = project.data_sources.add_pandas("frame").add_dataframe_asset("frame")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
    outcomes = {}
    for expectation in expectations:
        outcome = batch.validate(_expectation(expectation), result_format="SUMMARY")
        outcomes[expectation] = _result(expectation, outcome.to_json_dict())
    return outcomes


def _expectation(expectation: Expectation) -> Any:
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    known = list_registered_expectation_implementations()
    if expectation.kind not in known:
        near = ", ".join(nearest_names(expectation.kind, known))
        raise Invalid(
            f"Great Expectations knows no {expectation.kind!r}", f"nearest: {near}" if near else ""
        )
    try:
        return get_expectation_impl(expectation.kind)(**_arguments(expectation))
    except (ValueError, TypeError) as error:  # pydantic's errors are ValueErrors
        raise Invalid(
            f"{expectation.kind} does not take {expectation.arguments}", _one_line(str(error))
        ) from error


def _result(expectation: Expectation, outcome: Mapping[str, Any]) -> QualityResult:
    found = outcome.get("result") or {}
    observed = found.get("observed_value", found.get("partial_unexpected_list"))
    return QualityResult(
        kind=expectation.kind,
        arguments=expectation.arguments,
        success=bool(outcome["success"]),
        observed="" if observed is None else json.dumps(observed, sort_keys=True, default=str),
        unexpected=int(found.get("unexpected_count") or 0),
        unexpected_share=float(found.get("unexpected_percent") or 0.0) / 100,
        error=_exception(outcome.get("exception_info") or {}),
    )


def _exception(info: Mapping[str, Any]) -> str:
    """The first line of what was raised; GX nests it by metric when a metric failed."""
    nested = [part for part in info.values() if isinstance(part, Mapping)]
    for part in (info, *nested):
        if part.get("raised_exception"):
            return _one_line(str(part.get("exception_message")))
    return ""


def _frame(sample: pa.Table, expectations: Sequence[Expectation]) -> "pd.DataFrame":
    return sample.select(columns_needed(expectations, sample.column_names)).to_pandas()


def _outline(table: pa.Table) -> "pd.DataFrame":
    """A frame with the table's shape and names and nothing in it: cheap at any size."""
    import pandas as pd

    return pd.DataFrame(columns=table.column_names, index=range(table.num_rows), dtype="float32")


def _sample(table: pa.Table, most: int) -> pa.Table:
    if table.num_rows <= most:
        return table
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, most).astype(np.int64)))


def _columns(expectation: Expectation) -> list[str]:
    arguments = _arguments(expectation)
    named = (arguments[name] for name in _COLUMN_ARGUMENTS if name in arguments)
    return [column for name in named for column in ([name] if isinstance(name, str) else name)]


def _arguments(expectation: Expectation) -> dict[str, Any]:
    arguments: dict[str, Any] = json.loads(expectation.arguments or "{}")
    return arguments


def _shown(arguments: str) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in json.loads(arguments or "{}").items())


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


@cache
def _engine() -> str:
    from importlib.metadata import version

    return f"great_expectations {version('great_expectations')}"


@cache
def _great_expectations() -> Any:
    """The library, imported without Spark.

    It would import pyspark when that is installed, which costs seconds, and whose Spark Connect
    part ends the whole program (`sys.exit(0)`) when that was started by `python -c` or by a test
    runner's worker, because it takes it for a doctest of its own. We give it pandas frames.
    """
    hidden = [name for name in ("pyspark", "pyspark.sql.connect") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        return import_module("great_expectations")
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing sent home, and none of GX's own warnings about its libraries."""
    import warnings

    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
