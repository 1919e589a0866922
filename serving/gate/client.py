"""The gate's eyes: asks a served model over the real HTTP stack, in JSON or binary tensors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid
from serving.codecs import JSON_LENGTH
from serving.signature import Signature
from serving.tensors import Array, from_binary, from_json, to_binary, to_json
from serving.wire import Connection, Reply, encode_request

Floats = NDArray[np.float64]
_BATCH_BYTES = 4 << 20
_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """One infer response: outputs by name with the datatype and shape that were declared."""

    outputs: Mapping[str, Array]
    declared: Mapping[str, tuple[str, tuple[int, ...]]]
    message: Mapping[str, Any]


class ModelClient:
    """Asks one version of one model, sending features as columns. For one thread."""

    def __init__(
        self, connection: Connection, model: str, version: str, signature: Signature
    ) -> None:
        self._connection = connection
        self._signature = signature
        self.path = f"/v2/models/{model}/versions/{version}/infer"

    def request(self, rows: Floats, binary: bool = False) -> bytes:
        """The HTTP request for `rows`, float64 [n, width]."""
        inputs, tail = [], []
        for name, datatype, values in self._columns(rows):
            entry: dict[str, Any] = {
                "name": name,
                "datatype": datatype,
                "shape": list(values.shape),
            }
            if binary:
                tail.append(to_binary(values, datatype))
                entry["parameters"] = {"binary_data_size": len(tail[-1])}
            else:
                entry["data"] = to_json(values)
            inputs.append(entry)
        parameters = {"binary_data_output": binary}
        message = msgspec.json.encode({"inputs": inputs, "parameters": parameters})
        headers = {JSON_LENGTH: str(len(message))} if binary else {}
        return encode_request("POST", self.path, b"".join([message, *tail]), headers)

    def _columns(self, rows: Floats) -> Iterator[tuple[str, str, Array]]:
        at = 0
        for tensor in self._signature.columns:
            block = rows[:, at : at + tensor.width]
            at += tensor.width
            yield tensor.name, tensor.datatype, block[:, 0] if len(tensor.shape) == 1 else block

    def infer(self, rows: Floats, binary: bool = False) -> Answer:
        """Ask for `rows`. Raises `Invalid` with the server's words when it refuses."""
        reply = self._connection.send(self.request(rows, binary))
        if reply.status != 200:
            raise Invalid(f"the model server answered {reply.status}", reply.body.decode()[:500])
        return _read_answer(reply)

    def outputs(self, rows: Floats) -> Floats:
        """The first output of every row, asked in batches; [n] or [n, w]."""
        output = self._signature.outputs[0].name
        size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // (8 * self._signature.width)))
        parts = [
            self.infer(rows[start : start + size], binary=True).outputs[output]
            for start in range(0, len(rows), size)
        ]
        return np.concatenate(parts).astype(np.float64)

    def key_requests(self, keys: Mapping[str, Sequence[Any]], most: int) -> list[bytes]:
        """One HTTP request for each of the first keys, which the server looks features up for."""
        count = min(most, len(next(iter(keys.values()), ())))
        return [self._key_request(keys, place) for place in range(count)]

    def _key_request(self, keys: Mapping[str, Sequence[Any]], place: int) -> bytes:
        inputs = [
            {
                "name": tensor.name,
                "datatype": tensor.datatype,
                "shape": [1],
                "data": [keys[tensor.name][place]],
            }
            for tensor in self._signature.keys
        ]
        return encode_request("POST", self.path, msgspec.json.encode({"inputs": inputs}))


def _read_answer(reply: Reply) -> Answer:
    length = int(reply.headers.get(JSON_LENGTH, len(reply.body)))
    message = msgspec.json.decode(reply.body[:length])
    tail = memoryview(reply.body)[length:]
    outputs, declared = {}, {}
    at = 0
    for entry in message["outputs"]:
        name, datatype, shape = entry["name"], entry["datatype"], tuple(entry["shape"])
        declared[name] = (datatype, shape)
        size = entry.get("parameters", {}).get("binary_data_size")
        if size is None:
            outputs[name] = from_json(name, datatype, shape, msgspec.json.encode(entry["data"]))
        else:
            outputs[name] = from_binary(name, datatype, shape, tail[at : at + size])
            at += size
    return Answer(outputs, declared, message)
