"""Open Inference Protocol V2 messages to and from tensors: JSON, binary tensors, or both mixed.

Knows no HTTP server and calls no model. Unknown keys are accepted everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from registry.kernel.errors import Invalid
from serving.predict import Prediction
from serving.signature import Output, Signature
from serving.tensors import (
    DTYPES,
    Values,
    from_binary,
    from_json,
    texts_from_json,
    to_binary,
    to_json,
)

JSON_LENGTH = "inference-header-content-length"


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Message(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


_decode = msgspec.json.Decoder(_Message).decode


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A decoded request: tensors by name, and which outputs are wanted (name, as binary).

    `timeout_seconds` is the parameter `timeout`, which Triton's clients send in microseconds.
    """

    id: str | None
    tensors: Mapping[str, Values]
    outputs: tuple[tuple[Output, bool], ...]
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A response body; `json_length` is set when binary tensors follow the JSON."""

    body: bytes
    json_length: int | None = None


def decode_infer(body: bytes, json_length: str | None, signature: Signature) -> InferRequest:
    """Read an infer request. `json_length` is the Inference-Header-Content-Length header, whose
    presence, not the Content-Type, says that binary tensors follow. Raises `Invalid`."""
    if json_length is None:
        return _read(_parse(body), memoryview(b""), signature)
    length = _length(json_length, len(body))
    if length == 0:
        return _raw_request(body, signature)
    view = memoryview(body)
    return _read(_parse(view[:length]), view[length:], signature)


def _length(text: str, limit: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > limit:
        raise Invalid(
            f"Inference-Header-Content-Length {text!r} does not fit a body of {limit} bytes"
        )
    return int(text)


def _parse(raw: bytes | memoryview) -> _Message:
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("the body is not an inference request", str(error)) from error


def _read(message: _Message, binary: memoryview, signature: Signature) -> InferRequest:
    tensors: dict[str, Values] = {}
    at = 0
    for sent in message.inputs:
        if sent.name in tensors:
            raise Invalid(f"input {sent.name!r} is sent twice")
        _check_datatype(sent, signature)
        size = _binary_size(sent)
        if size is None:
            tensors[sent.name] = _from_json(sent, signature)
            continue
        if at + size > len(binary):
            raise Invalid(
                f"input {sent.name!r} promises {size} binary bytes", f"{len(binary) - at} are left"
            )
        tensors[sent.name] = from_binary(
            sent.name, sent.datatype, sent.shape, binary[at : at + size]
        )
        at += size
    if at != len(binary):
        raise Invalid(f"{len(binary) - at} bytes follow the last binary tensor")
    return InferRequest(message.id, tensors, _wanted(message, signature), _timeout(message))


def _from_json(sent: _Input, signature: Signature) -> Values:
    known = signature.by_name.get(sent.name)
    if known is not None and known.kind != "feature" and sent.datatype == "BYTES":
        texts = texts_from_json(sent.data, sent.shape)
        if texts is not None:
            return texts
    return from_json(sent.name, sent.datatype, sent.shape, sent.data)


def _timeout(message: _Message) -> float | None:
    micros = (message.parameters or {}).get("timeout")
    if micros is None:
        return None
    if isinstance(micros, bool) or not isinstance(micros, int | float) or micros < 0:
        raise Invalid(f"parameter timeout {micros!r} is not a number of microseconds")
    return micros / 1e6 or None


def _check_datatype(sent: _Input, signature: Signature) -> None:
    known = signature.by_name.get(sent.name)
    if known is not None and known.datatype != sent.datatype:
        raise Invalid(
            f"input {sent.name!r} is {sent.datatype}", f"the model takes {known.datatype}"
        )


def _binary_size(sent: _Input) -> int | None:
    parameters = sent.parameters or {}
    if "shared_memory_region" in parameters:
        raise Invalid(f"input {sent.name!r}: shared memory is not offered here")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise Invalid(f"input {sent.name!r}: binary_data_size {size!r} is not a size")
    if size is not None and bytes(sent.data):
        raise Invalid(f"input {sent.name!r} has both data and binary_data_size")
    return size


def _wanted(message: _Message, signature: Signature) -> tuple[tuple[Output, bool], ...]:
    default = bool((message.parameters or {}).get("binary_data_output", False))
    if not message.outputs:
        return tuple((output, default) for output in signature.outputs)
    known = {output.name: output for output in signature.outputs}
    wanted = []
    for asked in message.outputs:
        if asked.name not in known:
            raise Invalid(
                f"the model has no output {asked.name!r}", f"outputs are {', '.join(known)}"
            )
        binary = (asked.parameters or {}).get("binary_data", default)
        wanted.append((known[asked.name], bool(binary)))
    return tuple(wanted)


def _raw_request(body: bytes, signature: Signature) -> InferRequest:
    """A header of 0: the whole body is the one input's bytes, every output comes back binary."""
    if len(signature.inputs) != 1 or signature.inputs[0].datatype == "BYTES":
        raise Invalid(
            "a raw binary request needs a model of one numeric input",
            f"inputs are {', '.join(signature.by_name)}",
        )
    only = signature.inputs[0]
    row_bytes = DTYPES[only.datatype].itemsize * only.width
    if not body or len(body) % row_bytes:
        raise Invalid(
            f"input {only.name!r} has rows of {row_bytes} bytes", f"{len(body)} were sent"
        )
    shape = [len(body) // row_bytes, *only.shape[1:]]
    tensor = from_binary(only.name, only.datatype, shape, memoryview(body))
    return InferRequest(None, {only.name: tensor}, tuple((o, True) for o in signature.outputs))


def encode_infer(prediction: Prediction, wanted: tuple[tuple[Output, bool], ...]) -> Encoded:
    """The response message; NaN and infinities are null in JSON and exact in binary."""
    outputs, tail = [], []
    for output, binary in wanted:
        values = prediction.outputs[output.name]
        entry: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype,
            "shape": list(values.shape),
        }
        if binary:
            tail.append(to_binary(values, output.datatype))
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            entry["data"] = to_json(values)
        outputs.append(entry)
    message = msgspec.json.encode(
        {
            "model_name": prediction.model,
            "model_version": prediction.version,
            "id": prediction.prediction_id,
            "parameters": facts_of(prediction),
            "outputs": outputs,
        }
    )
    if not tail:
        return Encoded(message)
    return Encoded(b"".join([message, *tail]), len(message))


def facts_of(prediction: Prediction) -> dict[str, Any]:
    """What every answer says about itself beside its outputs."""
    facts: dict[str, Any] = {
        "prediction_id": prediction.prediction_id,
        "model_version": prediction.version,
        "missing_features": prediction.missing,
        "stale_features": prediction.stale,
    }
    if prediction.oldest_age_seconds is not None:
        facts["oldest_feature_age_seconds"] = prediction.oldest_age_seconds
    return facts
