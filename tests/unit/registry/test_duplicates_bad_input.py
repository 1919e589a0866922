"""The tier that cannot answer says so or says nothing; the others still do."""

import math

import numpy as np
import pytest

from registry.core.similarity.encoding import encode
from registry.core.similarity.facets import set_facets_apart
from registry.core.similarity.fingerprints import stored_fingerprints
from registry.core.similarity.structure import near_copy
from registry.core.similarity.trees import sql_tree
from registry.core.similarity.values import ValueSketch, compare
from registry.core.sql_lineage import column_text, followed
from registry.testing import NOON

RECURSIVE = "WITH RECURSIVE r AS (SELECT 1 AS v UNION ALL SELECT v + 1 FROM r) SELECT v FROM r"
DEEP = "SELECT " + "(" * 3000 + "v" + ")" * 3000 + " AS v FROM t"
NESTED = "SELECT v FROM " + "(SELECT v FROM " * 200 + "t" + ")" * 200


@pytest.mark.parametrize(
    "query",
    ["SELECT v FROM", "not sql at all", "", RECURSIVE, DEEP, "SELECT v FROM t; SELECT v FROM u"],
    ids=["cut off", "no SQL", "empty", "recursive", "deep", "two"],
)
def test_a_query_that_is_not_followed_counts_as_a_whole(query: str) -> None:
    assert not followed(query)
    text = column_text(query, ("v",))
    assert text == column_text(f"  {query} ", ("v",))
    assert text != column_text(f"{query} x", ("v",))
    set_facets_apart(text)
    sql_tree(text)


def test_a_query_within_a_join_may_read_no_table() -> None:
    joined = "SELECT t.v + o.w AS v FROM t CROSS JOIN (SELECT {} AS w) AS o"
    assert followed(joined.format(1))
    assert column_text(joined.format(1), ("v",)) != column_text(joined.format(2), ("v",))


def test_unknown_functions_and_nested_queries_are_followed() -> None:
    assert followed(NESTED)
    assert column_text(NESTED, ("v",)) == column_text("SELECT v FROM t", ("v",))
    unknown = "SELECT no_such_function(v, 1) AS v FROM t WHERE other(a) > 2"
    assert followed(unknown)
    changed = sql_tree(column_text(unknown.replace("> 2", "> 3"), ("v",)))
    same = sql_tree(column_text(unknown, ("v",)))
    assert changed is not None
    assert same is not None
    found = near_copy(same, changed)
    assert found is not None
    assert "filter" in found.differences[0]


def test_a_thousand_columns_are_followed_one_by_one() -> None:
    lines = ",\n".join(f"  SUM(a{n}) OVER (ORDER BY b) AS c{n}" for n in range(1000))
    assert column_text(f"SELECT k, {lines} FROM t", ("c7",)) == (
        "SELECT SUM(t.a7) OVER (ORDER BY t.b) FROM t"
    )


def sketch_of(values: list[object]) -> ValueSketch:
    kind, column = encode(values)
    return ValueSketch("v:f", "id", tuple(range(len(values))), (NOON,), kind, column[None, :])


@pytest.mark.parametrize(
    "values",
    [
        [],
        [None] * 100,
        [math.nan] * 100,
        [math.inf, -math.inf] * 50,
        [1, "a", None, 2.5, True] * 20,
        ["x" * 2**20] * 100,
        [1e308 * (-1) ** n for n in range(100)],
        [10**400] * 100,
    ],
    ids=["none", "null", "nan", "inf", "mixed", "megabyte", "huge", "beyond float"],
)
def test_strange_values_are_compared_without_a_claim(values: list[object]) -> None:
    strange = sketch_of(values)
    other = sketch_of([float(n) for n in np.random.default_rng(1).normal(size=len(values))])
    for found in (compare(strange, other), compare(strange, strange)):
        assert found is None or not found.telling
    assert stored_fingerprints(strange) == ()
