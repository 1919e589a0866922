"""The other ways to ask a model server, what may change it, and what it does when it cannot."""

import json
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from featureserver.admission import Admission, ByWait
from registry.testing import NOON
from serving.app import create_app
from serving.hosting import open_data_plane
from serving.openapi import DOCUMENT
from serving.routes import ROUTES
from tests.asgi import served
from tests.model_room import (
    COLUMNS,
    OPERATOR,
    flights,
    looked_up_parts,
    open_room,
    parts,
    python_model,
    released,
    xgboost_model,
)  # fmt: skip

ROW = np.nan_to_num(flights().rows[1])
SLOW = b"""
import os, time
def predict(model, rows):
    if rows[0, 0] == 7: time.sleep(30)
    if rows[0, 0] == 8: os._exit(1)
    time.sleep(0.05)
    return {"probability": rows[:, 1] * 0 + 0.25}
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    room = open_room(folder, FIELDHOUSE_SERVING_WORKER_SECONDS="2")
    released(room, looked_up_parts(folder, room))
    slow = parts(folder, python_model(), name="slow")
    slow.model_file.write_bytes(SLOW)
    released(room, slow)
    return room


@pytest.fixture(scope="module")
def http(room):
    with served(open_data_plane(room)) as client:
        yield client


def token_of(room):
    room.registry.tokens["t"] = OPERATOR
    return {"Authorization": "Bearer t"}


def rows_body(**changes):
    inputs = [
        {"name": n, "shape": [1], "datatype": "FP64", "data": [changes.get(n, v)]}
        for n, v in zip(COLUMNS, ROW.tolist(), strict=True)
    ]
    return {"inputs": inputs}


def expected():
    return float(xgboost_model().expected[1])


def test_v1_and_invocations_answer_what_v2_answers(http):
    row = dict(zip(COLUMNS, ROW.tolist(), strict=True))
    wanted = http.post("/v2/models/delay/infer", json=rows_body()).json()["outputs"][0]["data"]
    v1 = http.post("/v1/models/delay:predict", json={"instances": [row]}).json()
    numbered = http.post("/v1/models/delay:predict", json={"instances": [ROW.tolist()]}).json()
    split = {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
    target = {"X-Amzn-SageMaker-Target-Model": "delay"}
    invoked = http.post("/invocations", json=split, headers=target).json()
    assert v1["predictions"] == numbered["predictions"] == invoked["predictions"] == wanted


def test_v1_takes_entity_keys_and_looks_features_up(http):
    body = {"instances": [{"plane": "p1"}]}
    answer = http.post("/v1/models/delay:predict", json=body).json()
    assert answer["predictions"] == [expected()]


def test_invocations_ask_which_model_when_there_are_several(http):
    answer = http.post("/invocations", json={"instances": [ROW.tolist()]})
    assert answer.status_code == 400 and "delay, slow" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/ping", "/health", "/v1/models/delay", "/v2/models"])
def test_the_small_routes_answer(http, path):
    assert http.get(path).status_code == 200


def test_models_are_listed_for_both_protocols(http):
    assert (
        http.get("/v1/models").json()
        == http.get("/v2/models").json()
        == {"models": ["delay", "slow"]}
    )


def test_statistics_count_what_was_asked(http):
    before = http.get("/v2/models/delay/stats").json()["model_stats"][0]
    http.post("/v2/models/delay/infer", json=rows_body())
    http.post("/v2/models/delay/infer", json={"inputs": rows_body()["inputs"][:1]})
    after = http.get("/v2/models/delay/stats").json()["model_stats"][0]
    assert after["execution_count"] == before["execution_count"] + 1
    assert (
        after["inference_stats"]["fail"]["count"] == before["inference_stats"]["fail"]["count"] + 1
    )
    assert {s["name"] for s in http.get("/v2/models/stats").json()["model_stats"]} == {
        "delay",
        "slow",
    }


def test_the_configuration_has_tritons_shape(http):
    found = http.get("/v2/models/delay/config").json()
    assert found["input"][0] == {
        "name": "plane",
        "data_type": "TYPE_STRING",
        "dims": [-1],
        "optional": True,
    }
    assert found["output"][0]["data_type"] == "TYPE_FP32"


def test_every_answer_has_a_request_id_and_errors_too(http):
    named = http.get("/v2/models/nobody", headers={"X-Request-Id": "abc-1"})
    assert named.status_code == 404 and named.headers["x-request-id"] == "abc-1"
    assert len(http.get("/v2").headers["x-request-id"]) == 32


def test_openapi_describes_every_route_and_only_those(http):
    found = http.get("/openapi.json").json()
    described = {
        (method.upper(), path) for path, verbs in found["paths"].items() for method in verbs
    }
    assert described == {(method, path) for method, path, _ in ROUTES}


def test_answers_fit_the_described_schemas(http):
    from jsonschema import Draft202012Validator

    for path, schema in (("/v2", "Server"), ("/v2/models/delay", "Model"), ("/ping", "Ready")):
        whole = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
        Draft202012Validator(whole).validate(http.get(path).json())
    whole = {"$ref": "#/components/schemas/InferResponse", "components": DOCUMENT["components"]}
    answer = http.post("/v2/models/delay/infer", json=rows_body()).json()
    Draft202012Validator(whole).validate(answer)


def slow_answers(http, seconds=20.0):
    """Whether the isolated model answers; a test before may have had its worker killed."""
    until = time.monotonic() + seconds
    while http.post("/v2/models/slow/infer", json=rows_body(distance=1.0)).status_code != 200:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_unload_and_load_need_a_token_and_take_effect_at_once(http, room):
    assert http.post("/v2/repository/models/delay/unload").status_code == 401
    wrong = {"Authorization": "Bearer nobody"}
    assert http.post("/v2/repository/models/delay/unload", headers=wrong).status_code == 401
    token = token_of(room)
    assert http.post("/v2/repository/models/delay/unload", headers=token).content == b""
    gone = http.post("/v2/models/delay/infer", json=rows_body())
    other_answers = slow_answers(http)
    assert http.post("/v2/repository/models/delay/load", headers=token).status_code == 200
    assert gone.status_code == 404 and other_answers
    assert http.post("/v2/models/delay/infer", json=rows_body()).status_code == 200


def test_what_is_not_approved_is_not_loaded(http, room):
    token = token_of(room)
    unknown = http.post("/v2/repository/models/nobody/load", headers=token)
    body = {"parameters": {"version": "0123456789ab"}}
    other = http.post("/v2/repository/models/delay/load", headers=token, json=body)
    assert unknown.status_code == 404
    assert other.status_code == 400 and "not approved" in other.json()["error"]


def test_labels_need_a_token_and_are_kept(http, room):
    body = {"model": "delay", "labels": [{"prediction_id": "a", "label": 1}]}
    assert http.post("/labels", json=body).status_code == 401
    answer = http.post("/labels", json=body, headers=token_of(room))
    assert answer.json() == {"model": "delay", "accepted": 1}
    (file,) = (room.settings.root / ".fieldhouse/labels/delay").glob("*.parquet")
    (row,) = pq.read_table(file).to_pylist()
    assert (row["prediction_id"], row["label"], row["by"]) == ("a", 1.0, OPERATOR.subject)
    assert row["received_at"] == NOON


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"model": "../x", "labels": [{"prediction_id": "a", "label": 1}]}',
     b'{"model": "m", "labels": []}', b'{"model": "m", "labels": [{"prediction_id": "a"}]}',
     b'{"model": "m", "labels": [{"prediction_id": "a", "label": 1, "at": "yesterday"}]}'],
)  # fmt: skip
def test_labels_that_are_none_are_refused(http, room, body):
    answer = http.post("/labels", content=body, headers=token_of(room))
    assert answer.status_code == 400 and list(answer.json()) == ["error"]


def test_a_deadline_that_has_passed_is_504_and_the_model_goes_on(http):
    body = rows_body(distance=1.0)
    late = http.post("/v2/models/slow/infer", json=body, headers={"Fieldhouse-Deadline-Ms": "5"})
    assert late.status_code == 504 and "deadline" in late.json()["error"]
    assert http.post("/v2/models/slow/infer", json=body).status_code == 200
    timeout = {**body, "parameters": {"timeout": 5000}}
    assert http.post("/v2/models/slow/infer", json=timeout).status_code == 504
    assert slow_answers(http)


def test_a_worker_killed_in_mid_request_is_one_503_and_others_answer(http):
    assert http.post("/v2/models/slow/infer", json=rows_body(distance=8.0)).status_code == 503
    assert http.post("/v2/models/delay/infer", json=rows_body()).status_code == 200
    for _ in range(200):
        again = http.post("/v2/models/slow/infer", json=rows_body(distance=1.0))
        if again.status_code == 200:
            break
        time.sleep(0.05)
    assert again.status_code == 200


def test_a_worker_that_hangs_holds_nobody_else_up(http, room):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(12) as pool:
        body = rows_body(distance=7.0)
        waiting = [pool.submit(http.post, "/v2/models/slow/infer", json=body) for _ in range(11)]
        time.sleep(0.3)
        begun = time.perf_counter()
        assert http.post("/v2/models/delay/infer", json=rows_body()).status_code == 200
        assert time.perf_counter() - begun < 1.0
        statuses = sorted(one.result().status_code for one in waiting)
    assert statuses.count(429) == 3 and set(statuses) == {429, 503}
    assert slow_answers(http)


def test_a_server_with_enough_to_do_says_429_at_once(room):
    predictor = room.predictor(follow=False, log=False)
    with served(create_app(predictor, admission=Admission(ByWait(most=0)))) as client:
        answer = client.post("/v2/models/delay/infer", json=rows_body())
        assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
        assert client.get("/v2/health/live").status_code == 200
        refused = client.post("/labels", json={}, headers={"Authorization": "Bearer t"})
        assert refused.status_code == 409 and "no changes" in refused.json()["error"]


def test_a_lookup_that_is_down_leaves_models_without_one_alone(http, room):
    room.lookup.down = True
    try:
        keys = {"inputs": [{"name": "plane", "shape": [1], "datatype": "BYTES", "data": ["p1"]}]}
        down = http.post("/v2/models/delay/infer", json=keys)
        assert down.status_code == 503 and "does not answer" in down.json()["error"]
        assert http.post("/v2/models/delay/infer", json=rows_body()).status_code == 200
    finally:
        room.lookup.down = False


def test_a_body_of_a_hundred_megabytes_is_413(http):
    answer = http.post("/v2/models/delay/infer", content=b" " * (100 << 20))
    assert answer.status_code == 413 and "larger than" in answer.json()["error"]


def test_one_wide_tensor_goes_raw(tmp_path):
    from serving.signature import Input, Signature

    room = open_room(tmp_path)
    trained = xgboost_model()
    wide = Signature((Input("rows", shape=(-1, 4)),), trained.signature.outputs)
    record = room.package(parts(tmp_path, trained, signature=wide), actor="a")
    with served(create_app(room.predictor([("delay", record.version)], log=False))) as client:
        rows = flights().rows[:3]
        answer = client.post(
            "/v2/models/delay/infer",
            content=rows.astype("<f8").tobytes(),
            headers={"Inference-Header-Content-Length": "0"},
        )
        length = int(answer.headers["inference-header-content-length"])
        found = np.frombuffer(answer.content[length:], "<f4")
        assert found.tolist() == trained.expected[:3].tolist()
        assert json.loads(answer.content[:length])["outputs"][0]["shape"] == [3]


def test_the_data_plane_mounts_in_an_application_of_ones_own(room):
    from fastapi import FastAPI

    predictor = room.predictor(follow=False, log=False)
    app = FastAPI()
    app.mount("/models", create_app(predictor))
    with served(app) as client:
        assert client.get("/models/v2/models/delay").status_code == 200
        assert client.post("/models/v2/models/delay/infer", json=rows_body()).status_code == 200
    predictor.close()  # a mounted application is not told of the shutdown


def test_rows_that_a_model_does_not_take_are_a_clear_400(tmp_path):
    from tests.model_room import skops_model

    room = open_room(tmp_path)
    record = room.package(parts(tmp_path, skops_model()), actor="a")
    with served(create_app(room.predictor([("delay", record.version)], log=False))) as client:
        assert client.post("/v2/models/delay/infer", json=rows_body()).status_code == 200
        answer = client.post("/v2/models/delay/infer", json=rows_body(wind=None))
        assert answer.status_code == 400 and "contains NaN" in answer.json()["error"]
