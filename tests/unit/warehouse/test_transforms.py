import pytest

from registry.core.definitions import JoinKey
from registry.core.published import PublishedOnDemand
from registry.kernel.errors import Invalid
from registry.testing import feature
from warehouse.transforms import compile_transform

SUM = """
def total(inputs):
    return {"total": [a + b for a, b in zip(inputs["x"], inputs["extra"])]}
"""


def on_demand(code: str, entry: str = "total", mode: str = "python", **more: object):  # type: ignore[no-untyped-def]
    facts = {
        "features": (feature("total"),),
        "inputs": ("past:x",),
        "request_fields": (JoinKey("extra", "float64"),),
        **more,
    }
    return PublishedOnDemand("test", "sums", mode, entry, code, f"sha256:{code}", **facts)  # type: ignore[arg-type]


def test_a_function_maps_columns_to_columns() -> None:
    transform = compile_transform(on_demand(SUM))
    assert transform({"x": [1, 2], "extra": [10, 20]}) == {"total": [11, 22]}


def test_either_spelling_of_an_input_may_be_passed() -> None:
    transform = compile_transform(on_demand(SUM))
    assert transform({"past__x": [1], "extra": [10]}) == {"total": [11]}


def test_two_inputs_of_one_name_are_told_apart_by_their_views() -> None:
    code = "def total(i):\n    return {'total': [a - b for a, b in zip(i['a__x'], i['b__x'])]}"
    transform = compile_transform(on_demand(code, inputs=("a:x", "b:x"), request_fields=()))
    assert transform({"a__x": [5], "b__x": [3]}) == {"total": [2]}


def test_decorators_and_annotations_are_not_run() -> None:
    code = "@on_demand_feature_view(sources=[gone])\ndef total(i: Any) -> Gone:\n    return i"
    transform = compile_transform(on_demand(code, inputs=(), request_fields=()))
    assert transform({"total": [1]}) == {"total": [1]}


def test_numpy_is_there_and_its_values_come_back_plain() -> None:
    code = "def total(i):\n    return {'total': np.log1p(np.array(i['x']))}"
    answer = compile_transform(on_demand(code))({"x": [0.0]})
    assert answer == {"total": [0.0]}
    assert type(answer["total"][0]) is float


def test_pandas_functions_get_and_give_frames() -> None:
    code = "def total(df):\n    df['total'] = df['x'] + df['extra']\n    return df[['total']]"
    transform = compile_transform(on_demand(code, mode="pandas"))
    assert transform({"x": [1.0, None], "extra": [1.0, 2.0]}) == {"total": [2.0, None]}


def test_the_same_source_is_compiled_once() -> None:
    assert compile_transform(on_demand(SUM)) is compile_transform(on_demand(SUM))


def test_rows_may_be_none() -> None:
    assert compile_transform(on_demand(SUM))({"x": [], "extra": []}) == {"total": []}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def total(i: return i", "does not compile"),
        ("def other(i):\n    return i", "defines no function 'total'"),
        ("import os\ndef total(i):\n    return i", "may import collections"),
        ("def total(i):\n    return {'total': [1/0]}", "ZeroDivisionError"),
        ("def total(i):\n    return open('/etc/passwd')", "open"),
        ("def total(i):\n    return {'x': i['x']}", "did not give total"),
        ("def total(i):\n    return {'total': [1]}", "gave 1 values of 'total'"),
    ],
)
def test_a_function_that_does_not_do_is_refused_in_words(code: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        compile_transform(on_demand(code))({"x": [1, 2], "extra": [1, 2]})
