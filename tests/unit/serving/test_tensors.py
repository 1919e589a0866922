import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from registry.kernel.errors import Invalid
from serving.tensors import DTYPES, from_binary, from_json, from_values, to_binary

NUMERIC = sorted(set(DTYPES) - {"BYTES", "FP16"})


@given(st.data())
def test_binary_tensors_come_back_bit_for_bit(data):
    datatype = data.draw(st.sampled_from([*NUMERIC, "FP16"]))
    shape = hnp.array_shapes(min_dims=1, max_dims=2, max_side=4)
    array = data.draw(hnp.arrays(DTYPES[datatype], shape))
    back = from_binary("x", datatype, array.shape, memoryview(to_binary(array, datatype)))
    assert back.tobytes() == array.tobytes() and back.shape == array.shape


@given(st.lists(st.text(max_size=5), max_size=5))
def test_texts_come_back_from_binary(texts):
    packed = to_binary(np.array(texts, object), "BYTES")
    assert from_binary("x", "BYTES", [len(texts)], memoryview(packed)).tolist() == texts


@pytest.mark.parametrize("text", [b"[1,2,3,4]", b"[[1,2],[3,4]]", b"[[1.0,2],[3,4.0]]"])
def test_json_data_may_be_nested_or_flat(text):
    assert from_json("x", "FP64", [2, 2], text).tolist() == [[1, 2], [3, 4]]
    assert from_json("x", "INT64", [2, 2], text).tolist() == [[1, 2], [3, 4]]


def test_null_reads_as_nan_in_floats_and_is_refused_in_integers():
    assert np.isnan(from_json("x", "FP32", [2], b"[null,1]")[0])
    with pytest.raises(Invalid, match="not INT64"):
        from_json("x", "INT64", [1], b"[null]")


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("INT64", b"[1.5]"),
        ("UINT8", b"[256]"),
        ("INT8", b"[-129]"),
        ("INT64", b"[true]"),
        ("INT64", b"[1e400]"),
        ("FP64", b'["1"]'),
        ("FP64", b"[true]"),
        ("BOOL", b"[2]"),
        ("BYTES", b"[1]"),
        ("FP16", b"[1]"),
        ("FP128", b"[1]"),
        ("FP64", b"{}"),
        ("FP64", b""),
    ],
)
def test_json_values_that_are_not_of_the_datatype_are_refused(datatype, data):
    with pytest.raises(Invalid, match="'x'"):
        from_json("x", datatype, [1], data)


@pytest.mark.parametrize("shape", [[3], [2, 2], [0], [-1], [10**12, 10**12]])
def test_a_shape_that_data_does_not_fill_is_refused(shape):
    with pytest.raises(Invalid, match="shape"):
        from_json("x", "FP64", shape, b"[1,2]")


def test_deeply_nested_data_is_refused_and_harms_nothing():
    with pytest.raises(Invalid):
        from_json("x", "FP64", [1], b"[" * 5000 + b"]" * 5000)


@pytest.mark.parametrize("data", [b"\x05\0\0\0ab", b"\x01\0", b"\x01\0\0\0\xff"])
def test_binary_texts_cut_short_or_not_utf8_are_refused(data):
    with pytest.raises(Invalid, match="'x'"):
        from_binary("x", "BYTES", [1], memoryview(data))


def test_python_values_become_rows():
    assert from_values("x", "FP64", 3).tolist() == [3.0]
    assert from_values("x", "BYTES", ["a", "b"]).tolist() == ["a", "b"]
    assert from_values("x", "FP64", [[1, 2], [3, None]]).shape == (2, 2)
    with pytest.raises(Invalid, match="rows differ"):
        from_values("x", "FP64", [[1, 2], [3]])
