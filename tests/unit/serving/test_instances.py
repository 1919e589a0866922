"""Rows as V1, MLflow and SageMaker clients send them."""

import json

import numpy as np
import pytest

from registry.kernel.errors import Invalid
from serving.instances import columns_of_instances, columns_of_invocation, predictions_of
from serving.signature import Input, Output, Signature

SIGNATURE = Signature((Input("a"), Input("w", shape=(-1, 2))), (Output("y"),))
EXPECTED = {"a": [1, 4], "w": [[2, 3], [5, 6]]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "w"], "data": [[1, [2, 3]], [4, [5, 6]]]}},
        {"dataframe_records": [{"a": 1, "w": [2, 3]}, {"w": [5, 6], "a": 4}]},
        {"instances": [[1, 2, 3], [4, 5, 6]]},
        {"inputs": {"a": [1, 4], "w": [[2, 3], [5, 6]]}},
        {"inputs": [{"a": 1, "w": [2, 3]}, {"a": 4, "w": [5, 6]}]},
    ],
)
def test_every_shape_gives_the_same_columns(body):
    assert columns_of_invocation(json.dumps(body).encode(), SIGNATURE) == EXPECTED


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"{}", b'{"instances": []}', b'{"instances": 1}',
        b'{"instances": [[1, 2]]}', b'{"instances": [1]}', b'{"instances": [{"a": 1}, {"b": 1}]}',
        b'{"instances": [], "inputs": []}', b'{"dataframe_split": {"data": [[1]]}}',
        b'{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', b"\xff",
    ],
)  # fmt: skip
def test_other_shapes_are_refused(body):
    with pytest.raises(Invalid):
        columns_of_invocation(body, SIGNATURE)


def test_instances_of_mixed_kinds_are_refused():
    with pytest.raises(Invalid, match="all objects, or all lists"):
        columns_of_instances([{"a": 1}, [1, 2, 3]], SIGNATURE)


def test_predictions_are_values_or_objects():
    one = {"y": np.array([1.0, 2.0])}
    assert predictions_of(one) == [1.0, 2.0]
    two = {**one, "z": np.array([[1, 2], [3, 4]])}
    assert predictions_of(two) == [{"y": 1.0, "z": [1, 2]}, {"y": 2.0, "z": [3, 4]}]
