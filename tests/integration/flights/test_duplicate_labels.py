"""The labels of the examination's corpus hold: both queries are run on the real flights."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from bench.duplicates.corpus import CaseView, Known, copy_views, known_views
from bench.duplicates.project import connect, write_tables
from bench.duplicates.truth import Gallery, function_of, why_no_copy

QUICK = ("rename", "commute", "case_for_coalesce", "negation", "pandas", "scaled", "week_later")


@pytest.fixture(scope="module")
def corpus() -> tuple[dict[str, Known], list[CaseView]]:
    known = known_views()
    return {k.name: k for k in known}, copy_views(known)


@pytest.fixture(scope="module")
def flights(
    flights_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> duckdb.DuckDBPyConnection:
    tables = tmp_path_factory.mktemp("tables")
    write_tables(flights_root, tables)
    return connect(tables)


def _of(views: list[CaseView], family: str) -> CaseView:
    """The family's first case of an entity with few keys."""
    small = (("carrier",), ("origin",), ("carrier", "origin"))
    return next(v for v in views if v.cases[0].family == family and v.view.entity in small)


@pytest.mark.parametrize("family", QUICK)
def test_a_copy_gives_what_its_label_says(
    family: str, corpus: tuple[dict[str, Known], list[CaseView]], flights: duckdb.DuckDBPyConnection
) -> None:
    known, views = corpus
    view = _of(views, family)
    case = view.cases[0]
    assert why_no_copy(flights, known[case.of.split(":")[0]], view, case) == ""


def test_a_label_that_is_wrong_is_told(
    corpus: tuple[dict[str, Known], list[CaseView]], flights: duckdb.DuckDBPyConnection
) -> None:
    known, views = corpus
    view = _of(views, "scaled")
    case = replace(view.cases[0], family="rename", change=None)
    assert "differ" in why_no_copy(flights, known[case.of.split(":")[0]], view, case)


def test_functions_of_values_are_told_from_likeness() -> None:
    values = np.random.default_rng(1).normal(size=400)
    assert function_of(values, 1.8 * values + 32) == "an affine function"
    assert function_of(values, np.round(values, 1)) == "a rounding"
    assert function_of(values, values + 0.01 * values**2) == ""


def test_constants_coincide_by_chance_and_copies_do_not() -> None:
    gallery = Gallery()
    gallery.add("one", np.ones(400))
    assert gallery.coincides(np.ones(400)) == ""
    values = np.random.default_rng(1).normal(size=400)
    gallery.add("numbers", values)
    assert gallery.coincides(values.copy()) == "agrees with numbers"
