"""One prediction of the example's trees: in process, Unix socket, TCP; beside MLServer and FastAPI.

One client, one connection, one row, closed loop. Rounds are interleaved; numbers are medians over
rounds of each round's median, in microseconds. FIELDHOUSE_BENCH_MLSERVER names an `mlserver`
command with its XGBoost runtime, in an environment of its own; without it MLServer is left out.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.online import redis_on_tcp, wait_for
from bench.serving_shape import (
    COLUMNS,
    COUNT,
    NAME,
    WIDE,
    fill,
    keys_of,
    open_room,
    package,
    table,
    train,
)
from serving.wire import Address, Connection, Reply, encode_request

ROUNDS = int(os.environ.get("FIELDHOUSE_BENCH_REPEATS", "9"))
CALLS = 300
MLSERVER = os.environ.get("FIELDHOUSE_BENCH_MLSERVER", "")
Call = Callable[[int], Any]
_V2 = f"/v2/models/{NAME}/infer"


class Kept:
    """A connection that is opened anew where the server has closed it between two rounds."""

    def __init__(self, address: Address) -> None:
        self._address, self._link = address, Connection(address)

    def send(self, request: bytes) -> Reply:
        try:
            return self._link.send(request)
        except ConnectionError:
            self.close()
            self._link = Connection(self._address)
            return self._link.send(request)

    def close(self) -> None:
        self._link.close()


def run() -> dict[str, Any]:
    """Median microseconds of each way to ask, and what they are of each other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fh-")))
        model = folder / "model.ubj"
        train(model)
        url = stack.enter_context(redis_on_tcp())
        fill(url)
        calls = {
            **_in_process(stack, folder, model, url),
            **_served(stack, folder, model, url),
        }
        _check_answers(calls)
        found = _measure(calls)
    facts = {"microseconds": found, "ratios": _ratios(found), "load_average": os.getloadavg()}
    for name, value in found.items():
        print(f"{name:38} {value:9.1f} us")
    for name, value in facts["ratios"].items():
        print(f"{name:58} {value}")
    return facts


def _measure(calls: dict[str, Call]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        _median(call, 50)
    for _ in range(ROUNDS):
        for name, call in calls.items():
            count = CALLS if "feast" not in name else CALLS // 5
            times[name].append(_median(call, count))
    return {name: round(statistics.median(rounds), 1) for name, rounds in times.items()}


def _median(call: Call, count: int) -> float:
    taken = []
    for number in range(count):
        started = time.perf_counter()
        call(number)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


def _in_process(stack: ExitStack, folder: Path, model: Path, url: str) -> dict[str, Call]:
    import redis
    import xgboost as xgb

    from featureserver.lookup import ask

    room = open_room(folder / "here", url)
    name, version = package(room, model)
    predictor = room.predictor([(name, version)])
    stack.callback(predictor.close)
    loaded = predictor.find(name)
    rows = [np.ascontiguousarray(table()[i : i + 1]) for i in range(COUNT)]
    columns = [{c: row[:, j] for j, c in enumerate(COLUMNS)} for row in rows]
    keys = [{k: [v] for k, v in keys_of(i).items()} for i in range(COUNT)]
    booster = xgb.Booster(model_file=model)
    booster.set_param({"nthread": 1})
    client = redis.Redis.from_url(url)
    stack.callback(client.close)
    plan = room.lookup.plan(loaded.refs, full_feature_names=True)
    stored = [ask(plan, keys[i]).keys for i in range(COUNT)]
    return {
        "bare trees (C call)": lambda i: loaded.runtime.predict(rows[i % COUNT]),
        "bare trees (inplace_predict)": lambda i: booster.inplace_predict(rows[i % COUNT]),
        "redis-py MGET": lambda i: client.mget(stored[i % COUNT]),
        "in process, features": lambda i: predictor.predict(name, columns[i % COUNT]),
        "in process, keys": lambda i: predictor.predict(name, keys[i % COUNT]),
    }


def _served(stack: ExitStack, folder: Path, model: Path, url: str) -> dict[str, Call]:
    calls: dict[str, Call] = {}
    keys = [_by_keys(i) for i in range(COUNT)]
    json_rows, binary_rows = [_by_rows(i) for i in range(COUNT)], [_binary(i) for i in range(COUNT)]
    wide = [_wide(i, f"/v2/models/{WIDE}/infer") for i in range(COUNT)]
    wide_binary = [_wide_binary(i) for i in range(COUNT)]
    for server in ("noop", "ours"):
        path = folder / f"{server}.sock"
        tcp = stack.enter_context(_server(server, model, url, path))
        for place, address in (("unix", str(path)), ("tcp", tcp)):
            link = stack.enter_context(closing(Kept(address)))
            if server == "noop":
                calls[f"{place}, no-op ASGI"] = _call(link, keys)
                continue
            calls[f"{place}, keys, JSON"] = _call(link, keys)
            calls[f"{place}, features, JSON"] = _call(link, json_rows)
            calls[f"{place}, features, binary"] = _call(link, binary_rows)
            calls[f"{place}, one tensor, JSON"] = _call(link, wide)
            calls[f"{place}, one tensor, binary"] = _call(link, wide_binary)
    tcp = stack.enter_context(_server("feast", model, url, folder / "feast.sock"))
    link = stack.enter_context(closing(Kept(tcp)))
    calls["FastAPI + feast, keys"] = _call(link, [_feast(i) for i in range(COUNT)])
    plain = [_post("/features", json.dumps([table()[i].tolist()]).encode()) for i in range(COUNT)]
    calls["FastAPI, features (feast app)"] = _call(link, plain)
    if MLSERVER:
        tcp = stack.enter_context(_mlserver(folder, model))
        link = stack.enter_context(closing(Kept(tcp)))
        calls["MLServer, one tensor"] = _call(link, [_wide(i, _V2) for i in range(COUNT)])
    return calls


def _call(link: Kept, requests: list[bytes]) -> Call:
    def ask(number: int) -> Any:
        reply = link.send(requests[number % COUNT])
        assert reply.status == 200, reply.body
        return reply

    return ask


def _post(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    return encode_request(
        "POST", path, body, {"Content-Type": "application/json", **(headers or {})}
    )


def _by_keys(number: int) -> bytes:
    inputs = [
        {"name": key, "datatype": "BYTES", "shape": [1], "data": [value]}
        for key, value in keys_of(number).items()
    ]
    return _post(_V2, json.dumps({"inputs": inputs}).encode())


def _by_rows(number: int) -> bytes:
    inputs = [
        {"name": name, "datatype": "FP64", "shape": [1], "data": [float(value)]}
        for name, value in zip(COLUMNS, table()[number], strict=True)
    ]
    return _post(_V2, json.dumps({"inputs": inputs}).encode())


def _binary(number: int) -> bytes:
    inputs = [
        {"name": name, "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}
        for name in COLUMNS
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    body = head + table()[number].astype("<f8").tobytes()
    return _post(_V2, body, {"Inference-Header-Content-Length": str(len(head))})


def _feast(number: int) -> bytes:
    return _post("/predict", json.dumps({"entities": [keys_of(number)]}).encode())


def _wide(number: int, path: str) -> bytes:
    """The same request for MLServer and for us."""
    row = table()[number].tolist()
    tensor = {"name": "rows", "datatype": "FP64", "shape": [1, len(row)], "data": row}
    return _post(path, json.dumps({"inputs": [tensor]}).encode())


def _wide_binary(number: int) -> bytes:
    size = {"binary_data_size": 8 * len(COLUMNS)}
    tensor = {"name": "rows", "datatype": "FP64", "shape": [1, len(COLUMNS)], "parameters": size}
    head = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    text = json.dumps(head).encode()
    body = text + table()[number].astype("<f8").tobytes()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    return _post(f"/v2/models/{WIDE}/infer", body, headers)


@contextmanager
def _server(kind: str, model: Path, url: str, path: Path) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-W", "ignore", "-m", "bench.serving_servers", kind]
    command += [str(model), url, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        parts = urlsplit(process.stdout.readline().strip())
        assert parts.hostname and parts.port, f"{kind} does not start"
        yield parts.hostname, parts.port
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def _mlserver(folder: Path, model: Path) -> Iterator[tuple[str, int]]:
    """MLServer as its documentation starts it, with one model and no parallel workers."""
    place = folder / "mlserver"
    place.mkdir()
    (place / "model.ubj").write_bytes(model.read_bytes())
    settings = {
        "name": NAME,
        "implementation": "mlserver_xgboost.XGBoostModel",
        "parameters": {"uri": "./model.ubj", "version": "1"},
    }
    (place / "model-settings.json").write_text(json.dumps(settings))
    ports = {"http_port": 18089, "grpc_port": 18090, "metrics_port": 18091}
    server = {**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False}
    (place / "settings.json").write_text(json.dumps(server))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [MLSERVER, "start", str(place)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(18089)
        address = ("127.0.0.1", 18089)
        for _ in range(200):
            with Connection(address) as link:
                if link.request("GET", f"/v2/models/{NAME}/ready").status == 200:
                    break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _check_answers(calls: dict[str, Call]) -> None:
    """Every way gives the answer that XGBoost's own call gives, to the last bit or nearly."""
    wanted = [float(calls["bare trees (inplace_predict)"](i)[0]) for i in range(3)]
    for name, call in calls.items():
        if "no-op" in name or "redis" in name or "bare" in name:
            continue
        found = [_probability(call(i)) for i in range(3)]
        assert np.allclose(found, wanted, atol=1e-6), (name, found, wanted)


def _probability(answer: Any) -> float:
    if hasattr(answer, "outputs"):
        return float(answer.outputs["probability"][0])
    length = answer.headers.get("inference-header-content-length")
    if length:
        return float(np.frombuffer(answer.body[int(length) :], "<f4")[0])
    body = json.loads(answer.body)
    return float(body["probability"][0] if "probability" in body else body["outputs"][0]["data"][0])


def _ratios(found: dict[str, float]) -> dict[str, float]:
    bare = found["bare trees (C call)"]
    floor = bare + found["redis-py MGET"] + found["unix, no-op ASGI"]
    made = {
        "FastAPI+feast / ours by keys over TCP (wanted >= 10)": found["FastAPI + feast, keys"]
        / found["tcp, keys, JSON"],
        "in process by features minus bare trees, us (wanted <= 30)": found["in process, features"]
        - bare,
        "unix by keys / (trees + redis-py + no-op) (wanted <= 1.5)": found["unix, keys, JSON"]
        / floor,
    }
    if "MLServer, one tensor" in found:
        made["MLServer / ours, same request over TCP (wanted >= 5)"] = (
            found["MLServer, one tensor"] / found["tcp, one tensor, JSON"]
        )
        made["MLServer JSON / ours binary over TCP"] = (
            found["MLServer, one tensor"] / found["tcp, one tensor, binary"]
        )
    return {name: round(value, 2) for name, value in made.items()}
