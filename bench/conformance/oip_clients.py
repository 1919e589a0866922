"""Tritonclient against our model server, over TCP and the Unix socket; prints what holds.

    python -m bench.conformance.oip_server FOLDER           # in Fieldhouse's environment
    python bench/conformance/oip_clients.py FOLDER          # where tritonclient[http] is installed

The client knows TCP alone, so for the Unix socket a pipe copies bytes from a port to the socket.
"""

import json
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

COLUMNS = ("distance", "delay", "wind", "load")
found: list[tuple[str, bool]] = []


def check(name: str, holds: bool) -> None:
    found.append((name, holds))
    print("ok  " if holds else "FAIL", name)


def bridge(path: str) -> int:
    listening = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def accept() -> None:
        while True:
            client, _ = listening.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(path)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listening.getsockname()[1])


def by_keys(count: int = 2, binary: bool = True) -> list[triton.InferInput]:
    tensor = triton.InferInput("plane", [count], "BYTES")
    planes = np.array([f"p{i + 1}" for i in range(count)], dtype=object)
    return [tensor.set_data_from_numpy(planes, binary_data=binary)]


def by_features(count: int = 2, binary: bool = True) -> list[triton.InferInput]:
    values = np.linspace(-1, 1, count)
    return [
        triton.InferInput(name, [count], "FP64").set_data_from_numpy(values, binary_data=binary)
        for name in COLUMNS
    ]


def tensor(name: str, datatype: str, values: np.ndarray) -> list[triton.InferInput]:
    return [triton.InferInput(name, list(values.shape), datatype).set_data_from_numpy(values)]


def try_server(place: str, client: triton.InferenceServerClient, version: str) -> None:
    check(f"{place}: live and ready", client.is_server_live() and client.is_server_ready())
    check(f"{place}: a model is ready", client.is_model_ready("delay"))
    check(f"{place}: a version is ready", client.is_model_ready("delay", version))
    check(f"{place}: an unknown one is not", not client.is_model_ready("nobody"))
    check(f"{place}: server metadata", "extensions" in client.get_server_metadata())
    check(f"{place}: model metadata", client.get_model_metadata("delay")["name"] == "delay")
    check(f"{place}: model config", client.get_model_config("delay")["name"] == "delay")
    index = client.get_model_repository_index()
    check(f"{place}: repository index", {entry["state"] for entry in index} == {"READY"})
    try_tensors(place, client, version)
    try_refusals(place, client)
    one = client.get_inference_statistics("delay")["model_stats"]
    check(f"{place}: statistics of a model", one[0]["execution_count"] > 0)
    check(f"{place}: statistics of all", len(client.get_inference_statistics()["model_stats"]) == 2)
    token = {"Authorization": "Bearer t"}
    client.unload_model("delay", headers=token)
    check(f"{place}: unload", not client.is_model_ready("delay"))
    client.load_model("delay", headers=token)
    check(f"{place}: load", client.is_model_ready("delay"))


def try_tensors(place: str, client: triton.InferenceServerClient, version: str) -> None:
    first = client.infer("delay", by_keys()).as_numpy("probability")
    for binary in (True, False):
        for answer in (True, False, None):
            asked = [triton.InferRequestedOutput("probability", binary_data=bool(answer))]
            outputs = {} if answer is None else {"outputs": asked}
            got = client.infer("delay", by_keys(binary=binary), request_id="r1", **outputs)
            same = np.array_equal(got.as_numpy("probability"), first)
            name = f"{place}: keys, binary in {binary}, binary out {answer}"
            check(name, same and got.get_response()["id"] == "r1")
            got = client.infer("delay", by_features(binary=binary), **outputs)
            name = f"{place}: features, binary in {binary}, binary out {answer}"
            check(name, got.as_numpy("probability").shape == (2,))
    for kind in ("gzip", "deflate"):
        got = client.infer(
            "delay", by_keys(300),
            request_compression_algorithm=kind, response_compression_algorithm=kind,
        )  # fmt: skip
        check(f"{place}: {kind} both ways", got.as_numpy("probability").shape == (300,))
    got = client.infer("delay", by_keys(), model_version=version)
    check(f"{place}: a version by path", got.get_response()["model_version"] == version)
    got = client.infer("wide", tensor("rows", "FP64", np.zeros((3, 4))))
    check(f"{place}: one wide tensor", got.as_numpy("probability").shape == (3,))
    odd = np.array([[np.nan, np.inf, -np.inf, 0.0]])
    got = client.infer("wide", tensor("rows", "FP64", odd))
    check(f"{place}: NaN and infinities in binary", got.as_numpy("probability").shape == (1,))
    got = client.infer("delay", by_keys(), timeout=5_000_000)
    check(f"{place}: parameter timeout", got.as_numpy("probability").shape == (2,))
    got = client.async_infer("delay", by_keys()).get_result()
    check(f"{place}: async_infer", np.array_equal(got.as_numpy("probability"), first))


def try_refusals(place: str, client: triton.InferenceServerClient) -> None:
    bad = {
        "an unknown model": ("nobody", by_keys()),
        "an unknown input": ("delay", tensor("zzz", "FP64", np.zeros(1))),
        "another datatype": ("delay", tensor("wind", "INT32", np.zeros(1, np.int32))),
    }
    for name, (model, inputs) in bad.items():
        try:
            client.infer(model, inputs)
            check(f"{place}: {name} is refused", False)
        except InferenceServerException as error:
            check(f"{place}: {name} is refused", "detail" not in str(error))
    try:
        client.load_model("delay")
        check(f"{place}: load without a token is refused", False)
    except InferenceServerException as error:
        check(f"{place}: load without a token is refused", "token" in str(error))


def main(folder: Path) -> int:
    facts = json.loads((folder / "server.json").read_text())
    for place, port in (("tcp", facts["port"]), ("unix", bridge(facts["socket"]))):
        client = triton.InferenceServerClient(f"127.0.0.1:{port}")
        try_server(place, client, facts["version"])
        client.close()
    held = sum(holds for _, holds in found)
    print(f"{held} of {len(found)} hold")
    return 0 if held == len(found) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
