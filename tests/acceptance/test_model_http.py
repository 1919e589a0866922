"""The model server's HTTP as clients meet it, over TCP and over a Unix socket."""

import asyncio
import gzip
import json
import threading
import zlib

import httpx
import numpy as np
import pytest
import uvicorn

from featureserver.listen import listen_tcp, listen_unix
from featureserver.server import config_of
from registry.kernel.errors import Unavailable
from serving.app import create_app
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    flights,
    looked_up_parts,
    onnx_model,
    open_room,
    parts,
    xgboost_model,
)

LIMIT = 1 << 20


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    room = open_room(folder)
    room.package(looked_up_parts(folder, room), actor=AUTHOR.subject)
    onnx = parts(folder, onnx_model(), name="linear")
    room.package(onnx, actor=AUTHOR.subject)
    return room


@pytest.fixture(scope="module")
def server(room, tmp_path_factory):
    """One app on both sockets; gives (port, socket path, version of `delay`)."""
    models = [(record.name, record.version) for record in room.registry.models.all()]
    app = create_app(room.predictor(models), LIMIT)
    path = tmp_path_factory.mktemp("s") / "m.sock"
    sockets = [listen_tcp("127.0.0.1", 0), listen_unix(path)]
    port = sockets[0].getsockname()[1]
    running = uvicorn.Server(config_of(app))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=sockets)))
    thread.start()
    yield port, path, models[0][1]
    running.should_exit = True
    thread.join(10)


@pytest.fixture(params=["tcp", "unix"])
def http(request, server):
    port, path, _ = server
    uds = str(path) if request.param == "unix" else None
    base = "http://localhost" if uds else f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=base, transport=httpx.HTTPTransport(uds=uds)) as client:
        yield client


def keys(*values):
    tensor = {"name": "plane", "shape": [len(values)], "datatype": "BYTES", "data": list(values)}
    return {"inputs": [tensor]}


def columns(rows):
    return [
        {"name": n, "shape": [len(rows)], "datatype": "FP64", "data": rows[:, i].tolist()}
        for i, n in enumerate(COLUMNS)
    ]


def test_a_client_that_sends_only_keys_gets_predictions(http, server):
    answer = http.post("/v2/models/delay/infer", json={**keys("p1", "p2"), "id": "mine"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("delay", server[2], "mine")
    (output,) = body["outputs"]
    assert (output["shape"], output["datatype"]) == ([2], "FP32")
    assert np.allclose(output["data"], xgboost_model().expected[1:3], rtol=0, atol=0)
    assert body["parameters"]["oldest_feature_age_seconds"] == 60.0


def test_the_plain_route_takes_keys_and_features(http):
    plain = http.post("/predict/delay", json={"entities": {"plane": ["p1"]}}).json()
    assert plain["outputs"]["probability"] == [float(xgboost_model().expected[1])]
    one = http.post("/predict/delay", json={"entities": {"plane": "x"}, "features": {"wind": 1}})
    assert one.json()["missing_features"] == 3


def test_binary_tensors_go_in_and_come_out(http):
    rows = np.nan_to_num(flights().rows[:3])
    inputs, tail = [], b""
    for i, name in enumerate(COLUMNS):
        data = rows[:, i].astype("<f8").tobytes()
        tail += data
        parameters = {"binary_data_size": len(data)}
        inputs.append({"name": name, "shape": [3], "datatype": "FP64", "parameters": parameters})
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    answer = http.post(
        "/v2/models/delay/infer",
        content=head + tail,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 12} and "data" not in output
    assert len(np.frombuffer(answer.content[length:], "<f4")) == 3


def test_nan_goes_in_as_null(http):
    body = {"inputs": columns(np.zeros((1, 4)))}
    body["inputs"][1]["data"] = [None]
    assert http.post("/v2/models/delay/infer", json=body).status_code == 200


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_bodies_are_read_and_answers_compressed_when_asked(http, encoding, pack):
    body = pack(json.dumps(keys(*["p1"] * 300)).encode())
    answer = http.post(
        "/v2/models/delay/infer",
        content=body,
        headers={"Content-Encoding": encoding, "Accept-Encoding": encoding},
    )
    assert answer.headers["content-encoding"] == encoding
    assert len(answer.json()["outputs"][0]["data"]) == 300


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_server_metadata_is_at_both_spellings_without_redirect(http, path):
    body = http.get(path).json()
    assert body["name"] == "fieldhouse" and "binary_tensor_data" in body["extensions"]


def test_health_says_both_words_that_clients_read(http):
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"live": True, "ready": True}


def test_model_metadata_lists_keys_features_and_versions(http, server):
    body = http.get("/v2/models/delay").json()
    assert body["versions"] == [server[2]] and body["platform"] == "xgboost_ubj"
    assert [tensor["name"] for tensor in body["inputs"]] == ["plane", *COLUMNS]
    assert body["outputs"] == [{"name": "probability", "datatype": "FP32", "shape": [-1]}]
    assert http.get(f"/v2/models/delay/versions/{server[2]}").json() == body
    assert http.get("/v2/models/linear").json()["platform"] == "onnx_onnxv1"


def test_a_model_and_its_version_are_ready_or_not_found(http, server):
    for path in ("/v2/models/delay/ready", f"/v2/models/delay/versions/{server[2]}/ready"):
        assert http.get(path).json() == {"name": "delay", "ready": True}
    missing = http.get("/v2/models/delay/versions/9/ready")
    assert missing.status_code == 404 and missing.json()["ready"] is False
    assert "error" in missing.json()


def test_the_index_lists_what_is_loaded(http):
    for content in (b"", b'{"ready": true}'):
        entries = http.post("/v2/repository/index", content=content).json()
        assert {(e["name"], e["state"]) for e in entries} == {
            ("delay", "READY"),
            ("linear", "READY"),
        }


def test_an_answer_of_two_columns_keeps_its_shape(http):
    rows = np.nan_to_num(flights().rows[:2])
    body = http.post("/v2/models/linear/infer", json={"inputs": columns(rows)}).json()
    assert body["outputs"][0]["shape"] == [2, 2]
    assert np.allclose(
        np.reshape(body["outputs"][0]["data"], (2, 2)), onnx_model().expected[:2], atol=1e-6
    )


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v2/models/delay/infer", b"", 400),
        ("POST", "/v2/models/delay/infer", b"{", 400),
        ("POST", "/v2/models/delay/infer", b"[]", 400),
        ("POST", "/v2/models/delay/infer", b'{"inputs": 1}', 400),
        ("POST", "/v2/models/delay/infer", b'{"inputs": []}', 400),
        ("POST", "/v2/models/delay/infer", b"\xff\xfe", 400),
        ("POST", "/v2/models/delay/infer", b"[" * 9000, 400),
        ("POST", "/v2/models/nope/infer", b"{}", 404),
        ("POST", "/v2/models/delay/versions/7/infer", b"{}", 404),
        ("POST", "/v2/models/..%2Fdelay/infer", b"{}", 404),
        ("GET", "/v2/models/delay/infer", b"", 405),
        ("DELETE", "/v2", b"", 405),
        ("GET", "/nothing", b"", 404),
        ("POST", "/predict/delay", b'{"plane": "p1"}', 400),
        ("POST", "/predict/delay", b'{"entities": {}}', 400),
        ("POST", "/predict/delay", b'{"entities": {"plane": 7}}', 400),
        (
            "POST",
            "/predict/delay",
            b'{"entities": {"plane": ["p1"]}, "features": {"wind": [1,2]}}',
            400,
        ),
        ("POST", "/v2/repository/index", b"{", 400),
    ],
)
def test_every_error_is_json_with_error_and_nothing_else(http, method, path, content, status):
    answer = http.request(method, path, content=content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) <= {"error", "name", "ready"} and answer.json()["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"datatype": "INT64"},
        {"datatype": "FP9"},
        {"shape": [2]},
        {"shape": [-1]},
        {"shape": "x"},
        {"name": "windy"},
        {"data": ["a"]},
        {"data": {"a": 1}},
    ],
)
def test_malformed_tensors_are_400_and_name_the_tensor(http, change):
    inputs = columns(np.zeros((1, 4)))
    inputs[2] = {**inputs[2], **change}
    answer = http.post("/v2/models/delay/infer", json={"inputs": inputs})
    named = "shape" if change.get("shape") == "x" else "wind"
    assert answer.status_code == 400 and named in answer.json()["error"]


def test_a_body_that_is_too_large_is_413_even_when_it_is_a_bomb(http):
    large = http.post("/predict/delay", content=b" " * (LIMIT * 3))
    assert large.status_code == 413 and "larger than" in large.json()["error"]
    bomb = gzip.compress(b" " * (LIMIT * 30))
    packed = http.post("/predict/delay", content=bomb, headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 413
    assert http.get("/v2/health/live").status_code == 200


def test_an_encoding_that_is_not_known_or_cut_short_is_400(http):
    for headers, content in (
        ({"Content-Encoding": "br"}, b"x"),
        ({"Content-Encoding": "gzip"}, b"x"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{}")[:-4]),
    ):
        assert http.post("/predict/delay", content=content, headers=headers).status_code == 400


def test_a_store_that_is_down_is_503_with_a_time_to_come_back(http, room):
    room.lookup.down = True
    try:
        answer = http.post("/predict/delay", json={"entities": {"plane": "p1"}})
    finally:
        room.lookup.down = False
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/json"
    assert Unavailable.__name__ in http.get("/metrics").text


def test_metrics_are_in_prometheus_text(http):
    http.post("/predict/delay", json={"entities": {"plane": "p1"}})
    text = http.get("/metrics").text
    assert "# TYPE fieldhouse_prediction_seconds histogram" in text
    assert 'fieldhouse_prediction_seconds_bucket{le="2.5e-05",model="delay"' in text


def test_head_gives_headers_alone(http):
    answer = http.head("/v2/health/live")
    assert answer.status_code == 200 and answer.content == b""


def test_the_app_can_be_mounted_in_somebody_elses(room):
    from fastapi import FastAPI

    host = FastAPI()
    models = [(record.name, record.version) for record in room.registry.models.all()]
    host.mount("/models", create_app(room.predictor(models, log=False)))

    async def ask():
        transport = httpx.ASGITransport(host)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/models/v2/models/delay")

    assert asyncio.run(ask()).json()["name"] == "delay"
