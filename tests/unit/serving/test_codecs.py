import msgspec
import numpy as np
import pytest

from registry.kernel.errors import Invalid
from serving.codecs import decode_infer, encode_infer
from serving.predict import Prediction
from serving.signature import Input, Output, Signature
from serving.tensors import to_binary

SIGNATURE = Signature(
    (Input("id", "BYTES", kind="entity"), Input("x", "FP64"), Input("pair", "FP32", (-1, 2))),
    (Output("score", "FP32"), Output("both", "FP64", (-1, 2))),
)
X = {"name": "x", "shape": [2], "datatype": "FP64"}


def message(*inputs, **more):
    return msgspec.json.encode({"inputs": list(inputs), **more})


def test_json_and_binary_tensors_may_be_mixed_in_one_message():
    pair = np.array([[1, 2], [3, 4]], np.float32)
    head = message(
        {**X, "data": [1, 2]},
        {
            "name": "pair",
            "shape": [2, 2],
            "datatype": "FP32",
            "parameters": {"binary_data_size": 16},
        },
    )
    asked = decode_infer(head + to_binary(pair, "FP32"), str(len(head)), SIGNATURE)
    assert asked.tensors["x"].tolist() == [1, 2]
    assert np.array_equal(asked.tensors["pair"], pair)


def test_unknown_keys_are_accepted_everywhere():
    body = message(
        {**X, "data": [1, 2], "parameters": {"content_type": "np", "headers": {"a": 1}}, "k": 1},
        model_name="m",
        parameters={"headers": {}},
        outputs=[{"name": "score", "data": 3}],
        id="abc",
    )
    assert decode_infer(body, None, SIGNATURE).id == "abc"


def test_outputs_are_binary_when_asked_for_one_by_one_or_all_together():
    all_binary = message({**X, "data": [1, 2]}, parameters={"binary_data_output": True})
    assert [b for _, b in decode_infer(all_binary, None, SIGNATURE).outputs] == [True, True]
    one = message(
        {**X, "data": [1, 2]},
        parameters={"binary_data_output": True},
        outputs=[{"name": "both", "parameters": {"binary_data": False}}, {"name": "score"}],
    )
    wanted = decode_infer(one, None, SIGNATURE).outputs
    assert [(o.name, b) for o, b in wanted] == [("both", False), ("score", True)]


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ([{**X, "data": [1, 2]}, {**X, "data": [1, 2]}], "twice"),
        ([{**X, "datatype": "INT64", "data": [1, 2]}], "takes FP64"),
        ([{**X, "parameters": {"binary_data_size": 16}}], "promises 16"),
        ([{**X, "parameters": {"binary_data_size": -1}}], "not a size"),
        ([{**X, "parameters": {"binary_data_size": "16"}}], "not a size"),
        ([{**X, "data": [1, 2], "parameters": {"binary_data_size": 0}}], "both"),
        ([{**X, "parameters": {"shared_memory_region": "r"}}], "shared memory"),
        ([{**X}], "no data"),
        ([{"name": "x"}], "not an inference request"),
    ],
)
def test_a_wrong_input_is_named_with_what_is_wrong(inputs, complaint):
    with pytest.raises(Invalid, match=complaint):
        decode_infer(message(*inputs), None, SIGNATURE)


@pytest.mark.parametrize("length", ["-1", "x", "99999", "1e3", "²"])
def test_a_header_length_that_does_not_fit_is_refused(length):
    with pytest.raises(Invalid, match="Content-Length"):
        decode_infer(message({**X, "data": [1, 2]}), length, SIGNATURE)


def test_bytes_left_over_after_the_last_tensor_are_refused():
    head = message({**X, "data": [1, 2]})
    with pytest.raises(Invalid, match="3 bytes follow"):
        decode_infer(head + b"abc", str(len(head)), SIGNATURE)


def test_an_unknown_output_is_answered_with_those_that_exist():
    body = message({**X, "data": [1, 2]}, outputs=[{"name": "scores"}])
    with pytest.raises(Invalid, match="score, both"):
        decode_infer(body, None, SIGNATURE)


def test_a_raw_request_is_the_one_inputs_bytes():
    single = Signature((Input("x", "FP32", (-1, 2)),), SIGNATURE.outputs)
    asked = decode_infer(np.arange(4, dtype="<f4").tobytes(), "0", single)
    assert asked.tensors["x"].tolist() == [[0, 1], [2, 3]]
    assert all(binary for _, binary in asked.outputs)
    with pytest.raises(Invalid, match="rows of 8 bytes"):
        decode_infer(b"12345", "0", single)
    with pytest.raises(Invalid, match="one numeric input"):
        decode_infer(b"12345678", "0", SIGNATURE)


def answer():
    scores = np.array([0.5, np.nan, np.inf], np.float32)
    both = np.arange(6, dtype=np.float64).reshape(3, 2)
    return Prediction("pid", "m", "v", {"score": scores, "both": both}, 12.5, 1, 0)


def test_json_answers_carry_null_for_what_json_cannot_say():
    wanted = tuple((output, False) for output in SIGNATURE.outputs)
    found = msgspec.json.decode(encode_infer(answer(), wanted).body)
    assert (found["model_name"], found["model_version"], found["id"]) == ("m", "v", "pid")
    assert found["outputs"][0]["data"] == [0.5, None, None]
    assert found["outputs"][1]["shape"] == [3, 2]
    assert found["parameters"]["oldest_feature_age_seconds"] == 12.5


def test_binary_answers_carry_every_bit_in_output_order():
    encoded = encode_infer(answer(), tuple((output, True) for output in SIGNATURE.outputs))
    head = msgspec.json.decode(encoded.body[: encoded.json_length])
    assert [o["parameters"]["binary_data_size"] for o in head["outputs"]] == [12, 48]
    scores = np.frombuffer(encoded.body[encoded.json_length :][:12], "<f4")
    assert np.array_equal(scores, answer().outputs["score"], equal_nan=True)
