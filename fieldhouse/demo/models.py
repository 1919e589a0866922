"""Step 6: the model is packaged, gated, approved, promoted, served, and asked."""

import json
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fieldhouse.demo import train
from fieldhouse.demo.learning import NAME, Learned
from fieldhouse.demo.online import Keys, offline_values, quantiles
from fieldhouse.demo.people import People
from fieldhouse.demo.spine import SERVICE
from fieldhouse.demo.stage import Stage
from registry.bootstrap import SqlRegistry
from registry.kernel.canonical import short
from registry.kernel.errors import Refused
from registry.ports import ModelRecord
from serving.bootstrap import Serving, open_serving
from serving.gate.evidence import Evidence, Heldout, OfflineSample
from serving.gate.policy import GatePolicy
from serving.gate.report import GateReport
from serving.package import Parts
from serving.process import ServerProcess, running_server
from serving.signature import Output
from warehouse.engines.port import Engine

GOLDEN_ROWS = 8
LOCK = Path(__file__).parents[2] / "lock" / "demo.txt"
# Flights are late oftener in some months than in others, so a model of the summer's says too much
# or too little of the autumn's. The example is about ranking: it allows that, and says how much.
OBJECTIVE = GatePolicy(
    rate_per_second=100.0,
    seconds=2.0,
    p50_ms=10.0,
    p99_ms=100.0,
    first_ms=500.0,
    brier_margin=0.05,
    max_calibration_error=0.25,
)


def release(
    stage: Stage,
    registry: SqlRegistry,
    people: People,
    engine: Engine,
    learned: Learned,
    keys: Keys,
) -> None:
    """Package, gate, approve, promote: each by the one whose part it is."""
    serving = open_serving(stage.settings, registry)
    record = _package(stage, registry, people, serving, learned)
    report = _gate(stage, serving, record, learned, _sample(registry, engine, learned, keys))
    grace = registry.authority(people.steward, "owner")
    serving.approve(NAME, record.version, grace, "beats the carrier's rate; answers are proper")
    stage.say(f"      approve   {grace.subject} signs bundle and report {short(report.digest)}")
    radia = registry.authority(people.reliability, "reliability")
    serving.approve(NAME, record.version, radia, "fits what the cluster has")
    profile = short(report.profile_digest or "")
    stage.say(f"      approve   {radia.subject} signs the resource profile {profile}")
    operator = registry.authority(people.operator, "operator")
    serving.promote(NAME, record.version, operator)
    stage.say(f"      promote   {NAME} {record.version} is the champion")
    stage.facts["model"] = {
        "name": NAME,
        "version": record.version,
        "bundle": record.bundle_digest,
        "report": report.digest,
        "gate": "passed",
    }


def _package(
    stage: Stage, registry: SqlRegistry, people: People, serving: Serving, learned: Learned
) -> ModelRecord:
    output = Output("probability", "FP32", (-1,), 0.0, 1.0)
    golden = learned.rows[:GOLDEN_ROWS]
    signature = serving.signature(SERVICE, [output], learned.features)
    parts = Parts(
        name=NAME,
        model_file=learned.file,
        signature=signature,
        golden_rows=golden,
        golden_outputs={output.name: train.predict(learned.model, golden).astype(np.float32)},
        reference=learned.rows,
        reference_keys=_keys_of(learned, [tensor.name for tensor in signature.keys]),
        service=SERVICE,
        trained_on=serving.trained_on(learned.training.name),
        code=[Path(train.__file__)],
        lock=LOCK,
    )
    author = registry.authority(people.author, "author")
    record = serving.package(parts, actor=author.subject)
    stage.say(
        f"      package   {NAME} {record.version}: model, training code, lock, signature, "
        "golden rows, reference profile"
    )
    return record


def _keys_of(learned: Learned, names: Sequence[str]) -> dict[str, list[Any]]:
    """The entity keys of the rows that `learned.rows` has, by name."""
    table = learned.training.split("test").to_arrow()
    return {name: table.column(name).to_pylist() for name in names if name in table.column_names}


def _sample(registry: SqlRegistry, engine: Engine, learned: Learned, keys: Keys) -> OfflineSample:
    """What the warehouse says of the departing flights, in the model's order of features."""
    names, table = offline_values(registry, engine, keys)
    unique = {name.partition("__")[2]: name for name in names}
    wanted = [name if name in names else unique[name] for name in learned.features]
    columns = [table.column(name).cast(pa.float64()).to_numpy() for name in wanted]
    return OfflineSample(keys, np.column_stack(columns))


def _gate(
    stage: Stage, serving: Serving, record: ModelRecord, learned: Learned, sample: OfflineSample
) -> GateReport:
    heldout = Heldout(
        learned.rows,
        learned.labels,
        learned.baseline,
        "flights from October on",
        _slices(learned, ("origin", "carrier")),
    )
    report = serving.gate(NAME, record.version, Evidence(heldout, sample), OBJECTIVE, actor="gate")
    for check in report.checks:
        mark = "✓" if check.passed else "✗"
        stage.say(f"      gate    {mark} {check.id:<22} {check.message}")
    if not report.passed:
        raise Refused(f"the gate did not pass {NAME} {record.version}")
    return report


def _slices(learned: Learned, columns: tuple[str, ...]) -> dict[str, NDArray[np.str_]]:
    """The held-out flights' values by which the model is judged apart."""
    table = learned.training.split("test").to_arrow()
    return {name: np.array(table.column(name).to_pylist(), dtype=str) for name in columns}


def serve(stage: Stage, keys: Keys) -> None:
    """The champion on TCP and on a Unix socket, and predictions by entity keys alone."""
    scratch = ExitStack()
    stage.held.enter_context(scratch)
    folder = scratch.enter_context(tempfile.TemporaryDirectory(prefix="fh-"))
    path = Path(folder) / "models.sock"
    server = stage.held.enter_context(running_server(stage.settings, unix_socket=path))
    body = {"entities": {name: list(values[:1]) for name, values in keys.items()}}
    stage.say(f"      POST {server.url}/predict/{NAME}  {json.dumps(body)}")
    answer = _post(_tcp(server), f"/predict/{NAME}", body)
    stage.say(f"        {json.dumps(answer)}")
    infer = _infer_body(keys)
    found = {
        "tcp": _timed(_tcp(server), f"/v2/models/{NAME}/infer", infer),
        "unix_socket": _timed(_UnixConnection(path), f"/v2/models/{NAME}/infer", infer),
    }
    for name, ms in found.items():
        label = name.replace("_", " ")
        stage.say(f"      {label:<12} p50 {ms['p50']} ms, p99 {ms['p99']} ms, lookup included")
    stage.facts["predict_ms"] = found
    stage.facts["model_server"] = {"url": server.url, "unix_socket": str(path)}


def _tcp(server: ServerProcess) -> HTTPConnection:
    return HTTPConnection((server.url or "").removeprefix("http://"))


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


def _infer_body(keys: Keys) -> Mapping[str, Any]:
    """An Open Inference Protocol request that sends entity keys alone."""
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": list(values[:1])}
        for name, values in keys.items()
    ]
    return {"inputs": inputs}


def _post(connection: HTTPConnection, path: str, body: Mapping[str, Any]) -> Any:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    read = json.loads(answer.read())
    if answer.status != 200:
        raise Refused(f"POST {path} was answered {answer.status}", json.dumps(read))
    return read


def _timed(
    connection: HTTPConnection, path: str, body: Mapping[str, Any], count: int = 200
) -> dict[str, float]:
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        _post(connection, path, body)
        seconds.append(time.perf_counter() - started)
    connection.close()
    return quantiles(seconds)
