"""Canonical columns against the query itself, run in DuckDB: the slow twin that cannot be wrong."""

import random
from collections import Counter
from dataclasses import dataclass, replace

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from registry.core.sql_lineage import column_text, followed

COLUMNS = ("a", "b", "c")


@dataclass(frozen=True)
class Step:
    """One SELECT over the one before. `kind` says which; the numbers fill it in."""

    kind: str
    column: str
    number: int


@dataclass(frozen=True)
class Pipeline:
    """Steps over table t, and the expression of the wanted column."""

    steps: tuple[Step, ...]
    column: str
    number: int


STEPS = st.builds(
    Step,
    st.sampled_from(["filter", "window", "group", "join", "project", "rank", "distinct"]),
    st.sampled_from(COLUMNS),
    st.integers(0, 3),
)
PIPELINES = st.builds(
    Pipeline,
    st.lists(STEPS, max_size=4).map(tuple),
    st.sampled_from(COLUMNS),
    st.integers(0, 3),
)


def select(step: Step, source: str) -> str:
    """The step as a SELECT over `source`; every step gives k, ts, a, b, c."""
    others = [name for name in COLUMNS if name != step.column]
    kept = ", ".join(["k", "ts", *others])
    n, c = step.number, step.column
    frame = f"RANGE BETWEEN {n} PRECEDING AND CURRENT ROW"
    window = f"SUM({c}) OVER (PARTITION BY k ORDER BY ts {frame})"
    best = "SELECT k AS j, MAX(d) AS m FROM u GROUP BY k"
    return {
        "filter": f"SELECT * FROM {source} WHERE {c} > {n} OR {c} IS NULL",
        "window": f"SELECT {kept}, {window} AS {c} FROM {source}",
        "group": f"SELECT k, ts, SUM(a) AS a, MIN(b) AS b, COUNT(c) + {n} AS c FROM {source}"
        " GROUP BY k, ts",
        "join": f"SELECT {kept}, COALESCE(m, {n}) AS {c} FROM {source} AS s LEFT JOIN ({best}) AS g"
        " ON s.k = g.j",
        "project": f"SELECT {kept}, {c} * {n} - ts AS {c} FROM {source}",
        "rank": f"SELECT k, ts, a, b, c FROM (SELECT *, RANK() OVER (PARTITION BY k ORDER BY {c})"
        f" AS n FROM {source}) WHERE n <= {n + 1}",
        "distinct": f"SELECT DISTINCT k, ts, a, b, c FROM {source}",
    }[step.kind]


def final(pipe: Pipeline, source: str, more: str = "") -> str:
    return f"SELECT k, ts, {pipe.column} + {pipe.number} AS wanted{more} FROM {source}"


def as_ctes(pipe: Pipeline, more: str = "") -> str:
    source, ctes = "t0", ["t0 AS (SELECT k, ts, a, b, c FROM t)"]
    for number, step in enumerate(pipe.steps, 1):
        ctes.append(f"t{number} AS ({select(step, source)})")
        source = f"t{number}"
    return f"WITH {', '.join(ctes)} {final(pipe, source, more)}"


def as_nested(pipe: Pipeline) -> str:
    source = "(SELECT k, ts, a, b, c FROM t)"
    for step in pipe.steps:
        source = f"({select(step, source)})"
    return final(pipe, source)


def reformatted(query: str, seed: int) -> str:
    chance = random.Random(seed)
    made = []
    for word in query.split(" "):
        made.append(word.lower() if chance.random() < 0.5 else word)
        made.append(chance.choice([" ", "\n", "\t  ", " /* why */ "]))
    return "".join(made)


@pytest.fixture(scope="module")
def warehouse() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    chance = random.Random(1)
    connection.execute("CREATE TABLE t (k INT, ts INT, a INT, b INT, c INT)")
    connection.execute("CREATE TABLE u (k INT, d INT)")
    values = [None, *range(-2, 5)]
    rows = [
        (chance.randrange(4), chance.randrange(6), *(chance.choice(values) for _ in COLUMNS))
        for _ in range(60)
    ]
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    connection.executemany("INSERT INTO u VALUES (?, ?)", [(i % 3, i) for i in range(7)])
    return connection


def answer(warehouse: duckdb.DuckDBPyConnection, query: str) -> Counter[tuple[object, ...]]:
    return Counter(warehouse.execute(query).fetchall())


EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WANTED = ("k", "ts", "wanted")


@EXAMPLES
@given(PIPELINES)
def test_the_canonical_text_gives_what_the_query_gives(
    warehouse: duckdb.DuckDBPyConnection, pipe: Pipeline
) -> None:
    query = as_ctes(pipe)
    assert followed(query), followed(query).reason
    assert answer(warehouse, column_text(query, WANTED)) == answer(warehouse, query)


@EXAMPLES
@given(PIPELINES, st.integers())
def test_layout_does_not_count(pipe: Pipeline, seed: int) -> None:
    expected = column_text(as_ctes(pipe), WANTED)
    assert column_text(reformatted(as_ctes(pipe), seed), WANTED) == expected
    assert column_text(as_nested(pipe), WANTED) == expected


@EXAMPLES
@example(
    Pipeline((Step("window", "a", 0), Step("window", "b", 0), Step("filter", "a", 0)), "a", 0), "a"
)
@given(PIPELINES, st.sampled_from(COLUMNS))
def test_another_column_does_not_count(pipe: Pipeline, column: str) -> None:
    window = f"SUM({column}) OVER (PARTITION BY k ORDER BY ts) AS more"
    for more in (f", {column} AS more", f", {window}", ", 1 AS more"):
        assert column_text(as_ctes(pipe, more), WANTED) == column_text(as_ctes(pipe), WANTED)


@EXAMPLES
@given(PIPELINES, PIPELINES)
def test_one_text_never_stands_for_two_answers(
    warehouse: duckdb.DuckDBPyConnection, one: Pipeline, other: Pipeline
) -> None:
    texts = [column_text(as_ctes(pipe), WANTED) for pipe in (one, other)]
    if texts[0] == texts[1]:
        assert answer(warehouse, as_ctes(one)) == answer(warehouse, as_ctes(other))


@EXAMPLES
@given(PIPELINES, st.data())
def test_a_changed_number_or_column_counts_wherever_the_answer_changes(
    warehouse: duckdb.DuckDBPyConnection, pipe: Pipeline, data: st.DataObject
) -> None:
    changed = replace(pipe, number=pipe.number + 1)
    if pipe.steps:
        place = data.draw(st.integers(0, len(pipe.steps) - 1))
        step = data.draw(STEPS)
        steps = (*pipe.steps[:place], step, *pipe.steps[place + 1 :])
        changed = data.draw(st.sampled_from([changed, replace(pipe, steps=steps)]))
    differs = answer(warehouse, as_ctes(pipe)) != answer(warehouse, as_ctes(changed))
    if differs:
        assert column_text(as_ctes(pipe), WANTED) != column_text(as_ctes(changed), WANTED)
