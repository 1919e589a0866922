"""Joins the warehouse: the engine that the settings ask for. The one place that opens one."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb

from registry.kernel.arrow_memory import prefer_jemalloc
from registry.kernel.settings import Settings
from registry.ports import CodeChecker, ExampleReader, SampleChecker, SampleReader
from registry.settings import COMPARE_SECONDS, HOME, clock_of
from warehouse.catalog import read_catalog
from warehouse.computed_sketches import ComputedSketcher
from warehouse.engines.duckdb import DuckDBEngine
from warehouse.engines.duckdb_errors import translated
from warehouse.engines.duckdb_sql import literal
from warehouse.engines.port import Engine
from warehouse.evaluated import EvaluatedQueries
from warehouse.example_values import ExampleSketcher
from warehouse.sample_code import SampledCode
from warehouse.samples import NewestValues
from warehouse.settings import EVALUATED_BYTES, MEMORY_LIMIT, THREADS, TIME_ZONE
from warehouse.value_sketches import ValueSketcher

# What queries may read of project.home: the registry and the keys in it are nobody's data.
READ_IN_HOME = ("spill", "evaluated", "copies", "snapshots", "datasets", "quarantine")


def open_engine(
    settings: Settings, tables: Mapping[str, Path] | None = None, *, seconds: float = 0.0
) -> Engine:
    """DuckDB over the warehouse's Parquet files, and over `tables` (name to path) beside them.

    It reads those folders and Fieldhouse's own, nothing else, and writes only spilled data (under
    `project.home`). A query that takes longer than `seconds`, if any, is stopped. Raises `Invalid`
    for a setting that DuckDB does not take.
    """
    prefer_jemalloc()
    home = settings.path(HOME)
    catalog = read_catalog(settings)
    catalog = replace(catalog, named={**catalog.named, **(tables or {})})
    connection = duckdb.connect(":memory:")
    if catalog.names():  # DuckDB makes the folder it spills into, not the one above
        home.mkdir(parents=True, exist_ok=True)
    with translated("open the warehouse"):
        _limit(connection, settings, home)
        _shut_in(connection, (*catalog.folders(), *(str(home / name) for name in READ_IN_HOME)))
    evaluated = EvaluatedQueries(home / "evaluated", int(settings.get(EVALUATED_BYTES)))
    return DuckDBEngine(
        connection,
        catalog,
        evaluated,
        str(settings.get(TIME_ZONE)),
        threads=int(settings.get(THREADS)) or os.cpu_count() or 1,
        seconds=seconds,
    )


def open_sketches(settings: Settings) -> ValueSketcher:
    """What the registry compares new features by; see `warehouse.value_sketches`."""
    seconds = float(settings.get(COMPARE_SECONDS))
    return ValueSketcher(open_engine(settings, seconds=seconds), clock_of(settings))


def open_computed(settings: Settings) -> ComputedSketcher:
    """The same for on-demand features, whose code it runs; see `warehouse.computed_sketches`."""
    seconds = float(settings.get(COMPARE_SECONDS))
    return ComputedSketcher(open_engine(settings, seconds=seconds), clock_of(settings))


def open_examples(settings: Settings) -> ExampleReader:
    """What reads a column of somebody's file, to look for features with the same values."""
    return ExampleSketcher(partial(open_engine, settings), clock_of(settings))


def open_samples(settings: Settings) -> SampleReader:
    """The sample reader that duplicate detection asks for values."""
    return NewestValues(open_engine(settings), clock_of(settings))


def open_expectations(settings: Settings) -> SampleChecker:
    """What runs a view's expectations on a sample."""
    from warehouse.sample_quality import SampledExpectations  # Great Expectations takes seconds

    return SampledExpectations(open_engine(settings), clock_of(settings))


def open_code(settings: Settings) -> CodeChecker:
    """What tries the code of an on-demand view on a sample."""
    return SampledCode(open_engine(settings), clock_of(settings))


def _limit(connection: duckdb.DuckDBPyConnection, settings: Settings, home: Path) -> None:
    connection.execute(f"SET temp_directory = {literal(str(home / 'spill'))}")
    if settings.get(MEMORY_LIMIT):
        connection.execute(f"SET memory_limit = {literal(str(settings.get(MEMORY_LIMIT)))}")
    if settings.get(THREADS):
        connection.execute(f"SET threads = {int(settings.get(THREADS))}")


def _shut_in(connection: duckdb.DuckDBPyConnection, folders: tuple[str, ...]) -> None:
    """Let queries read these folders alone, and let nothing undo it."""
    allowed = ", ".join(literal(str(Path(folder).resolve())) for folder in folders)
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET enable_external_access = false")
