"""KServe's own client against our model server, over TCP and the Unix socket; prints what holds.

    python -m bench.conformance.oip_server FOLDER           # in Fieldhouse's environment
    python bench/conformance/oip_kserve.py FOLDER           # where kserve is installed

The client speaks HTTP through httpx, which knows Unix sockets: no pipe stands between.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

found: list[bool] = []


async def check(name: str, asked: Awaitable[Any], holds: Any) -> None:
    try:
        answer = await asked
    except httpx.HTTPStatusError as error:
        answer = error
    found.append(bool(holds(answer)))
    print("ok  " if found[-1] else "FAIL", name)


def request(model: str, tensor: str, datatype: str, values: Any, binary: bool) -> InferRequest:
    sent = InferInput(tensor, list(values.shape), datatype)
    sent.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[sent], request_id="mine")


def gives(rows: int) -> Any:
    return lambda answer: answer.id == "mine" and len(answer.outputs[0].as_numpy()) == rows


async def try_server(place: str, base: str, transport: httpx.AsyncBaseTransport) -> None:
    client = InferenceRESTClient(RESTConfig(transport=transport, protocol="v2", timeout=20))
    await check(f"{place}: live", client.is_server_live(base), bool)
    await check(f"{place}: ready", client.is_server_ready(base), bool)
    await check(f"{place}: a model is ready", client.is_model_ready(base, "delay"), bool)
    planes, rows = np.array(["p1", "p2"], dtype=object), np.ones((3, 4))
    for binary in (False, True):
        how = "binary" if binary else "JSON"
        by_keys = request("delay", "plane", "BYTES", planes, binary)
        await check(f"{place}: keys, {how}", client.infer(base, by_keys, "delay"), gives(2))
        wide = request("wide", "rows", "FP64", rows, binary)
        await check(f"{place}: a wide tensor, {how}", client.infer(base, wide, "wide"), gives(3))
        strange = request("delay", "nobody", "FP64", np.ones(1), binary)
        refused = client.infer(base, strange, "delay")
        await check(f"{place}: an unknown input, {how}", refused, lambda e: "no input" in str(e))
    await client.close()


async def main(folder: Path) -> int:
    facts = json.loads((folder / "server.json").read_text())
    await try_server("tcp", f"http://127.0.0.1:{facts['port']}", httpx.AsyncHTTPTransport())
    unix = httpx.AsyncHTTPTransport(uds=facts["socket"])
    await try_server("unix", "http://localhost", unix)
    print(f"{sum(found)} of {len(found)} hold")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
