"""Columns of queries: what counts, what does not, and what is left whole."""

import contextlib
import time

import duckdb
import pytest

from registry.core.sql_lineage import column_text, followed, output_columns, source_tables
from registry.core.sql_text import VOLATILE, NotParsed, is_aggregate, parsed

BASE = "SELECT k, ts, SUM(a) OVER (PARTITION BY k ORDER BY ts) AS s FROM t WHERE a > 0 AND b < 3"


def text(query: str, column: str = "s") -> str:
    return column_text(query, (column,))


@pytest.mark.parametrize(
    "same",
    [
        BASE.lower(),
        BASE.replace(" ", "\n  "),
        f"{BASE} -- why",
        BASE.replace("SUM(a)", "SUM(a) /* total */"),
        BASE.replace("k, ts, SUM", "ts, k, b * 2 AS other, SUM"),
        BASE.replace("a > 0 AND b < 3", "3 > b AND (0 < a)"),
        BASE.replace("FROM t", "FROM t AS x").replace("SUM(a)", "SUM(x.a)"),
        BASE.replace("FROM t", "FROM (SELECT * FROM t) q"),
        f"WITH q AS ({BASE}) SELECT k, ts, s FROM q",
        f"WITH q AS (SELECT k kk, ts, s AS z FROM ({BASE})) SELECT kk AS k, ts, z AS s FROM q",
        "WITH f AS (SELECT k, ts, a FROM t WHERE a > 0 AND b < 3)"
        " SELECT k, ts, SUM(a) OVER (PARTITION BY k ORDER BY ts) AS s FROM f",
        "WITH f AS (SELECT * FROM t WHERE b < 3)"
        " SELECT *, SUM(a) OVER w AS s2, SUM(a) OVER w AS s FROM (SELECT k, ts, a FROM f"
        " WHERE a > 0) WINDOW w AS (PARTITION BY k ORDER BY ts)",
        f"{BASE} ORDER BY ts",
        BASE.replace("FROM t", "FROM t LEFT JOIN (SELECT k AS j, MAX(z) AS m FROM u GROUP BY k) g"
                     " ON t.k = g.j").replace("SUM(a)", "SUM(t.a)").replace("a > 0 AND b", "t.a > 0"
                     " AND t.b").replace("BY k ORDER BY ts", "BY t.k ORDER BY t.ts"),
    ],
)  # fmt: skip
def test_layout_names_and_other_columns_do_not_count(same: str) -> None:
    assert text(same) == text(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SUM(a)", "SUM(b)"),
        ("SUM(a)", "AVG(a)"),
        ("PARTITION BY k", "PARTITION BY b"),
        ("ORDER BY ts)", "ORDER BY ts DESC)"),
        ("ORDER BY ts)", "ORDER BY ts ROWS 3 PRECEDING)"),
        ("a > 0", "a >= 0"),
        ("a > 0", "a > 1"),
        ("AND", "OR"),
        ("FROM t", "FROM u"),
        ("FROM t", "FROM other.t"),
        ("FROM t", "FROM t JOIN u ON t.k = u.j"),
        ("FROM t", "FROM t LEFT JOIN u ON t.k = u.j"),
        ("SELECT k", "SELECT DISTINCT k"),
        ("b < 3", "b < 3 LIMIT 5"),
    ],
)
def test_every_change_of_meaning_is_seen(old: str, new: str) -> None:
    assert old in BASE
    assert text(BASE.replace(old, new)) != text(BASE)


def test_a_condition_is_not_moved_below_a_window() -> None:
    outer = f"SELECT * FROM ({BASE.replace('WHERE a > 0 AND b < 3', '')}) WHERE k > 0"
    inner = BASE.replace("WHERE a > 0 AND b < 3", "WHERE k > 0")
    assert text(outer) != text(inner)


def test_the_row_number_idiom_is_the_same_as_qualify() -> None:
    number = "row_number() OVER (PARTITION BY k ORDER BY ts DESC)"
    nested = f"SELECT k, a AS s FROM (SELECT k, a, {number} AS n FROM t) WHERE n = 1"
    assert text(nested) == text(f"SELECT k, a AS s FROM t QUALIFY {number} = 1")


def test_an_alias_that_could_be_a_column_stands_for_both() -> None:
    by_alias = text("SELECT date_trunc('day', ts) AS day, SUM(a) AS s FROM t GROUP BY day")
    by_position = text("SELECT date_trunc('day', ts) AS day, SUM(a) AS s FROM t GROUP BY 1")
    assert "ALIAS_OR" in by_alias
    assert by_alias != by_position


def test_the_one_row_of_an_aggregate_is_kept_when_its_column_is_not() -> None:
    assert text("SELECT 1 AS s, COUNT(*) AS n FROM t") != text("SELECT 1 AS s FROM t")


def test_a_join_whose_rows_can_repeat_counts_even_when_unused() -> None:
    grouped = "(SELECT k, j, MAX(z) AS m FROM u GROUP BY k, j)"
    query = f"SELECT t.a AS s FROM t LEFT JOIN {grouped} g ON t.k = g.k"
    assert text(query) != text("SELECT a AS s FROM t")
    assert text(f"{query} AND t.j = g.j") == text("SELECT a AS s FROM t")


def test_an_unused_left_asof_join_does_not_count() -> None:
    query = "SELECT t.a AS s FROM t ASOF LEFT JOIN u ON t.k = u.k AND t.ts >= u.ts"
    assert text(query) == text("SELECT t.a AS s FROM t")


def test_a_union_keeps_only_the_columns_asked_for() -> None:
    query = "SELECT k, a AS s FROM t UNION ALL SELECT j, z FROM u"
    wider = "SELECT k, a AS s, b FROM t UNION ALL SELECT j, z, 0 FROM u"
    assert text(query) == text(wider)
    assert text(query) != text(query.replace(" ALL", ""))


def test_a_union_that_removes_doubles_depends_on_every_column() -> None:
    query = "SELECT k, a AS s FROM t UNION SELECT j, z FROM u"
    wider = "SELECT k, a AS s, b FROM t UNION SELECT j, z, 0 FROM u"
    assert text(query) != text(wider)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT random() AS s, a FROM t",
        "SELECT unnest([1, 2]) AS s FROM t",
        "WITH RECURSIVE r AS (SELECT 1 AS s UNION ALL SELECT s + 1 FROM r) SELECT s FROM r",
        "SELECT s FROM t NATURAL JOIN u",
        "SELECT s FROM t USING SAMPLE 10%",
        "SELECT COLUMNS('s') FROM t",
        "SELEC s FROM",
        "SELECT 1 AS s; SELECT 2 AS s",
        "PIVOT tables ON a USING SUM(b)",
    ],
)
def test_what_cannot_be_followed_counts_as_a_whole_with_a_reason(query: str) -> None:
    assert followed(query).reason
    assert text(query) == text(query.replace(" ", "  ") + "\n")
    assert text(query) != text(query.replace("s", "sx", 1))


def test_spaces_inside_quotes_count_even_in_what_is_not_sql() -> None:
    assert text("SELEC 'a  b'") != text("SELEC 'a b'")
    assert text("SELEC  'a b'") == text("SELEC 'a b'")


def test_a_column_that_is_not_there_is_not_followed() -> None:
    assert "whole" in column_text("SELECT a FROM t", ("b",))
    assert "whole" not in column_text("SELECT * FROM t", ("b",))


def test_tables_are_named_and_ctes_are_not() -> None:
    query = "WITH t AS (SELECT * FROM t), u AS (SELECT * FROM t) SELECT * FROM u, s.v, (SELECT 1)"
    assert source_tables(query) == {"t", "s.v"}
    assert source_tables("SELECT (SELECT MAX(x) FROM w) FROM T") == {"w", "t"}
    assert source_tables("not sql") == frozenset()


def test_output_columns_are_known_unless_a_star_hides_them() -> None:
    query = "WITH q AS (SELECT a, b FROM t) SELECT *, 1 AS c FROM q"
    assert output_columns(query) == ("a", "b", "c")
    assert output_columns("SELECT * FROM t") is None


def test_every_aggregate_of_duckdb_is_known_as_one() -> None:
    names = duckdb.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
    ).fetchall()
    unknown = {name for (name,) in names if not _is_read_as_aggregate(name)}
    assert unknown <= {"count_star"}


def _is_read_as_aggregate(name: str) -> bool:
    for arguments in ("x", "x, y", "x, y, z"):
        with contextlib.suppress(NotParsed):
            call = parsed(f"SELECT {name}({arguments}) FROM t").selects[0]
            return any(is_aggregate(node) for node in call.walk())
    return False


def test_every_function_that_answers_differently_is_known() -> None:
    rows = duckdb.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"
    ).fetchall()
    of_the_session = {name for (name,) in rows if name.startswith("current_")}
    without_values = {"error", "write_log", "vector_type", "sleep_ms", "setseed"}
    assert {name for (name,) in rows} - of_the_session - without_values <= VOLATILE


def test_a_hundred_columns_of_one_query_are_quick() -> None:
    columns = ", ".join(f"SUM(a + {i}) OVER w AS c{i}" for i in range(100))
    query = f"WITH q AS (SELECT * FROM t) SELECT {columns} FROM q WINDOW w AS (PARTITION BY k)"
    start = time.perf_counter()
    texts = {column_text(query, (f"c{i}",)) for i in range(100)}
    assert len(texts) == 100
    assert time.perf_counter() - start < 5.0
