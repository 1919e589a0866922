"""Near copies by structure: found by shared bands, verified by edits, explained in words."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.code_evened import evened_code
from registry.core.similarity.edits import edits_between
from registry.core.similarity.minhash import BANDS, ROWS, bands, similarity
from registry.core.similarity.structure import near_copy
from registry.core.similarity.trees import Tree, code_tree, sql_tree
from registry.core.sql_lineage import column_text

BASE = """SELECT carrier, AVG(arr_delay) OVER (PARTITION BY carrier ORDER BY known_at
RANGE BETWEEN INTERVAL 28 DAY PRECEDING AND CURRENT ROW) AS v
FROM flights JOIN planes ON flights.tailnum = planes.tailnum WHERE
cancelled = 0 AND distance > 100"""


def tree(query: str) -> Tree:
    made = sql_tree(column_text(query, ("v",)))
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("AVG(", "MEDIAN(", "`avg` against `median`"),
        ("28 DAY", "30 DAY", "window 28 days against 30 days"),
        ("cancelled = 0 AND ", "", "filter `0 = cancelled` missing"),
        ("WHERE\n", "WHERE origin = 'JFK' AND ", "filter `'JFK' = origin` added"),
        ("> 100", "> 500", "filter `100 < distance` against `500 < distance`"),
        ("arr_delay", "dep_delay", "`arr_delay` against `dep_delay`"),
        ("AVG(arr_delay)", "AVG(COALESCE(arr_delay, 0))", "`arr_delay` against `COALESCE(arr_del"),
        (" JOIN", " LEFT JOIN", "join `JOIN planes"),
        ("BY carrier ", "BY origin ", "grouping `carrier` against `origin`"),
    ],
)
def test_the_piece_that_differs_is_named(old: str, new: str, said: str) -> None:
    found = near_copy(tree(BASE), tree(BASE.replace(old, new)))
    assert found is not None
    assert len(found.differences) == 1
    assert found.differences[0].startswith(said)


def test_another_computation_of_the_same_table_is_no_near_copy() -> None:
    other = "SELECT MAX(distance) - MIN(air_time) AS v FROM flights GROUP BY carrier, hour(at)"
    assert near_copy(tree(BASE), tree(other)) is None


def test_what_is_small_tells_nothing() -> None:
    assert near_copy(tree("SELECT a AS v FROM t"), tree("SELECT b AS v FROM t")) is None


def test_a_copy_of_python_is_found_too() -> None:
    code = 'def f(i):\n    return {"z": [round(x * 1.5 + 2, 1) for x in i["a"] if x > 3]}\n'
    trees = [
        code_tree(evened_code(text, "f", "z", {"a": "x"}))
        for text in (code, code.replace("> 3", "> 4"))
    ]
    found = near_copy(*trees)
    assert found is not None
    assert (found.ratio > 0.9, len(found.differences)) == (True, 1)


def test_a_thousand_lines_are_compared_quickly_or_not_at_all() -> None:
    rows = [f"CASE WHEN a = {n} THEN b + {n} ELSE c END" for n in range(150)]
    long = f"SELECT {' + '.join(rows)} AS v FROM t"
    one, other = tree(long), tree(long.replace("= 7 ", "= 8 "))
    found = near_copy(one, other)
    assert found is None or len(found.differences) == 1
    chance = random.Random(1)
    chance.shuffle(rows)
    near_copy(one, tree(f"SELECT {' + '.join(rows)} AS v FROM t"))


TREES = st.recursive(
    st.sampled_from("abc").map(lambda label: Tree(label, "", label)),
    lambda inner: st.builds(
        lambda label, below: Tree(label, "", label, tuple(below)),
        st.sampled_from("fgh"),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


def apart(left: tuple[Tree, ...], right: tuple[Tree, ...]) -> int:
    """The edit distance of two rows of trees, from its definition: nothing remembered."""
    if not left or not right:
        return sum(t.size for t in (*left, *right))
    one, other = left[-1], right[-1]
    return min(
        apart(left[:-1], right) + one.size,
        apart(left, right[:-1]) + other.size,
        apart(left[:-1], right[:-1]) + between(one, other),
    )


def between(left: Tree, right: Tree) -> int:
    costs = [left.size + right.size]
    if left.label == right.label or len(left.children) == len(right.children):
        costs.append(apart(left.children, right.children) + (left.label != right.label))
    for around, other in ((left, right), (right, left)):
        for child in around.children:
            if 2 * child.size >= other.size and 2 * other.size >= child.size:
                costs.append(between(child, other) + around.size - child.size)
    return min(costs)


@settings(max_examples=150, deadline=None)
@given(TREES, TREES)
def test_edits_cost_what_the_slow_definition_says(left: Tree, right: Tree) -> None:
    found = edits_between(left, right)
    assert found is not None
    expected = max(0.0, 1 - between(left, right) / max(left.size, right.size))
    assert found.ratio == pytest.approx(expected)
    assert bool(found.pieces) == (left.mark != right.mark)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_near_copies_share_bands(seed: int) -> None:
    chance = random.Random(seed)
    changes = [("AVG(", "SUM("), ("28 DAY", "7 DAY"), ("= 0", "= 1"), ("arr_delay", "dep_delay")]
    changed = BASE.replace(*chance.choice(changes))
    one, other = tree(BASE), tree(changed)
    alike = similarity(one, other)
    shared = len(set(bands(one)) & set(bands(other)))
    assert alike > 0.5
    assert shared >= 1
    # The share of bands is about s^ROWS; five standard errors of it either way.
    expected = alike**ROWS * BANDS
    assert abs(shared - expected) <= 5 * (BANDS * 0.25) ** 0.5
