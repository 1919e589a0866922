"""Requests that ought to be refused, or that a model may well fail on. Pure."""

import msgspec
import numpy as np

from serving.gate.client import ModelClient
from serving.signature import Signature
from serving.wire import encode_request

_EXTREMES = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 2.0**53 + 2)


def hostile_requests(client: ModelClient, signature: Signature) -> list[bytes]:
    """One request each: rows of one extreme value, a wrong name, shape and type, and no JSON."""
    rows = [np.full((1, signature.width), value) for value in _EXTREMES]
    first = signature.columns[0].name
    bad = [
        [_tensor(f"{first}_of_nobody", "FP64", [1], [0.0])],
        [_tensor(first, "FP64", [3], [0.0])],
        [_tensor(first, "BYTES", [1], ["x"])],
        [],
    ]
    bodies = [msgspec.json.encode({"inputs": inputs}) for inputs in bad]
    refused = [encode_request("POST", client.path, body) for body in (*bodies, b'{"inputs": [')]
    return [client.request(one, binary=True) for one in rows] + refused


def _tensor(name: str, datatype: str, shape: list[int], data: list[object]) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
