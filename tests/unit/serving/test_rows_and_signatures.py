import numpy as np
import pytest

from registry.core.published import PublishedOnDemand
from registry.kernel.errors import Invalid, NotFound
from registry.testing import feature, published, view
from serving.rows import RowPlan
from serving.signature import Input, Output, Signature, check_signature, signature_of_service
from tests.model_room import SCORE, state

PLANE = Input("plane", "BYTES", kind="entity")
MIXED = Signature(
    (PLANE, Input("a", ref="v:a@1"), Input("block", "FP32", (-1, 2)), Input("b", ref="v:b@1")),
    (SCORE,),
)


def test_rows_hold_what_was_looked_up_overridden_by_what_was_sent():
    plan = RowPlan(MIXED)
    given = plan.read(
        {"plane": np.array(["x"], object), "block": np.array([[5, 6]]), "b": np.array([9.0])}
    )
    assert plan.missing(given) == ("a",)
    rows = plan.assemble(given, np.array([[1.0, 2.0]]))
    assert rows.tolist() == [[1, 5, 6, 9]]


def test_a_column_may_come_as_one_value_a_row_or_as_a_column():
    plan = RowPlan(Signature((Input("a"),), (SCORE,)))
    assert plan.read({"a": np.ones((3, 1))}).rows == plan.read({"a": np.ones(3)}).rows == 3


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"plan": np.ones(1)}, "nearest: plane"),
        ({"a": np.ones(2), "b": np.ones(3)}, "3 rows"),
        ({"a": np.ones((2, 2))}, "shape"),
        ({"block": np.ones((2, 3))}, "shape"),
        ({}, "no rows"),
        ({"a": np.ones(0)}, "no rows"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, complaint):
    with pytest.raises(Invalid, match=complaint):
        RowPlan(MIXED).read(inputs)


def test_what_a_lookup_cannot_fill_is_said():
    plan = RowPlan(MIXED)
    given = plan.read({"a": np.ones(1)})
    with pytest.raises(Invalid, match="block"):
        plan.check_lookup(given, plan.missing(given))
    given = plan.read({"block": np.ones((1, 2))})
    with pytest.raises(Invalid, match="needs plane"):
        plan.check_lookup(given, plan.missing(given))


def test_every_fault_of_a_signature_is_named_at_once():
    bad = Signature((Input("a", "FP99"), Input("a", shape=(3,)), Input("c", "BYTES")), ())
    with pytest.raises(Invalid) as caught:
        check_signature(bad)
    for fault in ("named twice", "FP99", "shape", "BYTES", "one output"):
        assert fault in str(caught.value)


def test_the_signature_of_a_service_pins_versions_and_lists_the_keys():
    found = signature_of_service(state(), "flight_delay", [SCORE], ["wind", "delay"])
    assert [tensor.name for tensor in found.inputs] == ["plane", "wind", "delay"]
    assert found.refs == ("stats:wind@1", "stats:delay@1")
    with pytest.raises(NotFound, match="wind"):
        signature_of_service(state(), "flight_delay", [SCORE], ["wynd"])


def test_texts_are_left_out_and_names_of_two_views_are_told_apart():
    views = [
        view("a", [feature("n"), feature("city", "string")], {"plane": "string"}),
        view("b", [feature("n", sensitivity="restricted")], {"route": "int64"}),
    ]
    live = published(*views, services={"s": ["a:n", "a:city", "b:n"]})
    found = signature_of_service(live, "s", [SCORE])
    assert [tensor.name for tensor in found.columns] == ["a__n", "b__n"]
    assert [tensor.sensitive for tensor in found.columns] == [False, True]
    assert [(key.name, key.datatype) for key in found.keys] == [
        ("plane", "BYTES"),
        ("route", "INT64"),
    ]
    with pytest.raises(Invalid, match="string"):
        signature_of_service(live, "s", [SCORE], ["city"])


def test_keys_are_only_those_that_the_chosen_columns_need():
    views = [
        view("a", [feature("x")], {"plane": "string"}),
        view("b", [feature("y")], {"route": "int64"}),
    ]
    live = published(*views, services={"s": ["a:x", "b:y"]})
    assert [k.name for k in signature_of_service(live, "s", [SCORE], ["y"]).keys] == ["route"]


def test_an_on_demand_feature_needs_its_inputs_keys_and_request_fields():
    from dataclasses import replace

    from registry.core.definitions import JoinKey
    from registry.core.published import PinnedFeature, PublishedService

    base = published(view("a", [feature("x")], {"plane": "string"}))
    made = PublishedOnDemand(
        "test", "od", "python", "f", "", "", (feature("z"),), ("a:x",), (JoinKey("hour", "int64"),)
    )
    service = PublishedService("test", "s", (PinnedFeature("od", "z", 1, on_demand=True),))
    live = replace(base, on_demand={"od": made}, services={"s": service})
    keys = signature_of_service(live, "s", [Output("p")]).keys
    assert {(key.name, key.kind) for key in keys} == {("plane", "entity"), ("hour", "request")}


def test_a_tensor_that_begins_anywhere_in_a_body_becomes_an_aligned_table():
    plan = RowPlan(Signature((Input("rows", shape=(-1, 2)),), (Output("score"),)))
    for start in range(9):
        body = bytes(start) + np.arange(6, dtype="<f8").tobytes()
        sent = np.frombuffer(memoryview(body)[start:], "<f8").reshape(3, 2)
        table = plan.assemble(plan.read({"rows": sent}), None)
        assert table.flags.aligned and table.flags.c_contiguous
        assert table.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
