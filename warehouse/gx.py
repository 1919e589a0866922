"""Great Expectations, kept at one border: how it is loaded, what it is given, what it answers.

It is imported when the first expectation is run; that takes seconds. Decides nothing.
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
from importlib.metadata import version
from typing import Any

from registry.core.definitions import Expectation
from registry.kernel.errors import Invalid, nearest_names
from warehouse.engines.duckdb_sqlalchemy import TABLE
from warehouse.quality_report import QualityResult, arguments_of

_one_at_a_time = threading.Lock()  # Great Expectations keeps its project in a global
_PLACE = "place"
_LONGEST_OBSERVATION = 2_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome, whether running it raised an error, and whether that says that this way of
    looking cannot run such an expectation."""

    result: QualityResult
    raised: bool = False
    impossible: bool = False


def on_database(url: str, expectations: Sequence[Expectation]) -> list[Answer]:
    """Run expectations in SQL over the lent table; see `engines.duckdb_sqlalchemy.lend`."""
    with _project() as project:
        source = project.data_sources.add_sql("lent", connection_string=url)
        asset = source.add_table_asset(TABLE, table_name=TABLE)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        return _run_all(batch, expectations)


def on_frame(frame: Any, expectations: Sequence[Expectation]) -> list[Answer]:
    """Run expectations on a pandas frame."""
    with _project() as project:
        asset = project.data_sources.add_pandas("frame").add_dataframe_asset("frame")
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
        return _run_all(batch, expectations)


def _run_all(batch: Any, expectations: Sequence[Expectation]) -> list[Answer]:
    """All at once, so that they share their queries; what could not be run, alone once more, since
    one that fails takes down those that it shares a query with."""
    from great_expectations import ExpectationSuite

    suite = ExpectationSuite(name="all")
    # Not through `add_expectation`, which refuses one that two views ask for alike.
    suite.expectations = [_expectation(one, place) for place, one in enumerate(expectations)]
    found: dict[int, Answer] = {}
    for outcome in batch.validate(suite, result_format="SUMMARY").results:
        place = outcome.expectation_config.meta[_PLACE]
        found[place] = _answer(expectations[place], outcome.to_json_dict())
    return [
        found[place] if place in found and not found[place].raised else _run(batch, one)
        for place, one in enumerate(expectations)
    ]


def _run(batch: Any, expectation: Expectation) -> Answer:
    outcome = batch.validate(_expectation(expectation), result_format="SUMMARY")
    return _answer(expectation, outcome.to_json_dict())


def _answer(expectation: Expectation, outcome: Mapping[str, Any]) -> Answer:
    raised = _exception(outcome.get("exception_info") or {})
    missing = "does not exist" in raised and "column" in raised
    result = _result(expectation, outcome, raised)
    return Answer(result, bool(raised), bool(raised) and not missing)


def _expectation(expectation: Expectation, place: int = 0) -> Any:
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
        made = get_expectation_impl(expectation.kind)(**arguments_of(expectation))
        made.meta = {**(made.meta or {}), _PLACE: place}
        return made
    except (ValueError, TypeError) as error:  # pydantic's errors are ValueErrors
        raise Invalid(
            f"{expectation.kind} does not take {expectation.arguments}", _one_line(str(error))
        ) from error


def _result(expectation: Expectation, outcome: Mapping[str, Any], raised: str) -> QualityResult:
    found = outcome.get("result") or {}
    observed = found.get("observed_value", found.get("partial_unexpected_list"))
    return QualityResult(
        kind=expectation.kind,
        arguments=expectation.arguments,
        success=bool(outcome["success"]),
        observed=_observed(observed),
        unexpected=int(found.get("unexpected_count") or 0),
        unexpected_share=float(found.get("unexpected_percent") or 0.0) / 100,
        error=_one_line(raised),
    )


def _exception(info: Mapping[str, Any]) -> str:
    """What was raised first; GX nests it by metric when a metric failed."""
    nested = [part for part in info.values() if isinstance(part, Mapping)]
    for part in (info, *nested):
        if part.get("raised_exception"):
            return str(part.get("exception_message"))
    return ""


def _observed(value: Any) -> str:
    text = "" if value is None else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST_OBSERVATION else json.dumps("too long to keep")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


@cache
def engine_name() -> str:
    """`great_expectations 1.24.1`, say."""
    return f"great_expectations {version('great_expectations')}"


@cache
def great_expectations() -> Any:
    """The library, imported without Spark.

    It would import pyspark when that is installed, which costs seconds, and whose Spark Connect
    part ends the whole program (`sys.exit(0)`) when that was started by `python -c` or by a test
    runner's worker, because it takes it for a doctest of its own. We give it SQL and pandas frames.
    """
    hidden = [name for name in ("pyspark", "pyspark.sql.connect") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        return import_module("great_expectations")
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextmanager
def _project() -> Iterator[Any]:
    """An empty project of GX's, alone. Nothing is sent home, nothing warns about GX's libraries."""
    import warnings

    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        project = great_expectations().get_context(
            mode="ephemeral", project_config=_configuration()
        )
        project.variables.progress_bars = {"globally": False}
        yield project


def _configuration() -> Any:
    """All in memory: without it, GX would make a temporary folder for its pages and leave it."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    return DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    )
