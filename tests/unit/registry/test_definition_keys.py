"""One definition under many names has one key; another time, entity or input has another."""

from dataclasses import replace

import pytest

from registry.core.definition_keys import definition_key
from registry.core.definitions import (
    Feature,
    FeatureView,
    JoinKey,
    OnDemandView,
    Repository,
    Source,
)

KEY = JoinKey("airport", "string")


def stored(query: str, feature: str, **changes: object) -> FeatureView:
    source = Source("s", "sql", query=query, timestamp_field="at")
    source = replace(source, **changes)  # type: ignore[arg-type]
    return FeatureView("v", ("airport",), (KEY,), source, (Feature(feature, "float64"),))


def key_of(view: FeatureView) -> str:
    return definition_key(Repository("n", views=(view,)), view, view.features[0])


BASE = stored("SELECT origin AS airport, ts AS at, AVG(delay) AS d FROM f GROUP BY 1, 2", "d")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT dest AS airport, ts AS at, AVG(delay) AS d FROM f GROUP BY 1, 2",
        "SELECT origin AS airport, landed AS at, AVG(delay) AS d FROM f GROUP BY 1, 2",
        "SELECT origin AS airport, ts + INTERVAL 1 DAY AS at, AVG(delay) d FROM f GROUP BY 1, ts",
    ],
    ids=["another key", "another time", "a later time"],
)
def test_one_column_under_other_keys_or_times_is_another_definition(query: str) -> None:
    assert key_of(stored(query, "d")) != key_of(BASE)


def test_names_of_columns_and_fields_do_not_count() -> None:
    query = "SELECT origin AS airport, ts AS moment, AVG(delay) AS mean FROM f GROUP BY 1, 2"
    assert key_of(stored(query, "mean", timestamp_field="moment")) == key_of(BASE)
    mapped = (("mean", "late"), ("moment", "at"))
    assert key_of(stored(query, "late", field_mapping=mapped)) == key_of(BASE)


def test_a_mapped_key_is_the_column_behind_it() -> None:
    query = "SELECT origin, dest, ts AS at, delay AS d FROM f"
    one, other = (
        stored(query, "d", field_mapping=((column, "airport"),)) for column in ("origin", "dest")
    )
    assert key_of(one) != key_of(other)


def test_what_is_pushed_to_two_sources_is_two_definitions() -> None:
    sources = [Source(name, "push", timestamp_field="at") for name in ("clicks", "orders")]
    one, other = (replace(BASE, source=source) for source in sources)
    assert key_of(one) != key_of(other)


def test_which_of_equal_times_wins_counts() -> None:
    query = "SELECT airport, at, n, d FROM f"
    assert key_of(stored(query, "d")) != key_of(stored(query, "d", tie_breaker="n"))


LOOPS = """
def f(inputs):
    out = {"a": [], "b": []}
    for x, y in zip(inputs["x"], inputs["y"]):
        gap = x - y
        out["a"].append(y * x + 1.0)
        out["b"].append(gap * 2)
    return out
"""
RENAMED = '''
def other(given):
    """Another author's."""
    res = {"q": [], "p": []}
    for u, v in zip(given["u"], given["w"]):
        res["p"].append(1.0 + u * v)
        res["q"].append((u - v) * 2)
    return res
'''
ALONE = """
def g(i):
    made = {"z": []}
    for one, two in zip(i["u"], i["w"]):
        made["z"].append(two * one + 1.0)
    return made
"""


def computed(code: str, entry: str, output: str, inputs: tuple[str, ...], more: str = "") -> str:
    views = [
        stored("SELECT airport, at, p AS x, q AS y FROM f", "x"),
        stored("SELECT airport, at, p AS u, q AS w FROM f", "u"),
    ]
    features = [tuple(Feature(n, "float64") for n in names) for names in ("xy", "uw")]
    named = [
        replace(v, name=n, features=f)
        for v, n, f in zip(views, ("one", "two"), features, strict=True)
    ]
    outputs = tuple(Feature(n, "float64") for n in (output, *more))
    view = OnDemandView("o", "python", entry, code, outputs, inputs)
    return definition_key(Repository("n", views=tuple(named), on_demand=(view,)), view, outputs[0])


def test_a_loop_s_output_is_known_under_other_names_of_outputs_inputs_and_locals() -> None:
    first = computed(LOOPS, "f", "a", ("one:x", "one:y"), "b")
    assert computed(RENAMED, "other", "p", ("two:u", "two:w"), "q") == first
    assert computed(ALONE, "g", "z", ("two:u", "two:w")) == first
    assert computed(LOOPS, "f", "b", ("one:x", "one:y"), "a") != first


def test_an_input_that_means_something_else_makes_another_output() -> None:
    first = computed(ALONE, "g", "z", ("two:u", "two:w"))
    assert computed(ALONE.replace('"w"', '"u"'), "g", "z", ("two:u", "two:w")) != first
    assert computed(ALONE, "g", "z", ("two:w", "elsewhere:u")) != first


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("x * y", "y * x", True),
        ("x > y", "y < x", True),
        ("x == 1", "1 == x", True),
        ("x + 1", "1 + x", True),
        ("float(x) + float(y)", "float(y) + float(x)", True),
        ("x + y", "y + x", False),
        ("(x + y) + 1.0", "x + (y + 1.0)", False),
        ("x - y", "y - x", False),
        ("x and y", "y and x", False),
        ("h(x) * h(y)", "h(y) * h(x)", False),
        ("str(x) + str(y)", "str(y) + str(x)", False),
    ],
)
def test_operands_are_turned_only_where_nobody_can_tell(left: str, right: str, equal: bool) -> None:
    code = 'def f(i):\n    x = i["u"]\n    y = i["w"]\n    return {{"z": {}}}\n'
    keys = [computed(code.format(s), "f", "z", ("two:u", "two:w")) for s in (left, right)]
    assert (keys[0] == keys[1]) is equal


@pytest.mark.parametrize(
    "body",
    [
        'names = {"z": 1}\n    return {"z": [names[k] for k in i["u"]]}',
        'out = {"z": []}\n    keep(out)\n    return out',
        'return {"z": ["z" for k in i["u"]]}',
    ],
)
def test_an_output_s_name_that_the_code_may_use_otherwise_counts(body: str) -> None:
    code = f"def f(i):\n    {body}\n"
    one = computed(code, "f", "z", ("two:u",))
    assert computed(code.replace('"z"', '"r"'), "f", "r", ("two:u",)) != one
