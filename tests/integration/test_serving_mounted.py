"""The door's predictor inside a user's own FastAPI application."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from fieldhouse import Predictor
from registry.bootstrap import open_registry
from registry.kernel.settings import read_settings
from serving.bootstrap import open_serving
from tests.asgi import served
from tests.model_room import COLUMNS, parts, released, xgboost_model


@pytest.fixture
def version(project: Path):
    (project / "fieldhouse.toml").write_text("")
    settings = read_settings(project)
    room = open_serving(settings, open_registry(settings))
    made = released(room, parts(project, xgboost_model())).version
    room.close()
    return made


def test_predictor_asgi_mounts_beside_routes_of_ones_own(version):
    app = FastAPI()
    with Predictor() as models:

        @app.get("/mine")
        def mine() -> dict[str, str]:
            return {"version": models.predict("delay", dict.fromkeys(COLUMNS, 0.5)).version}

        app.mount("/models", models.asgi(max_body_bytes=500))
        with served(app) as client:
            assert client.get("/mine").json() == {"version": version}
            body = {"features": dict.fromkeys(COLUMNS, 0.5)}
            answer = client.post("/models/predict/delay", json=body)
            assert answer.status_code == 200 and answer.json()["model_version"] == version
            large = client.post("/models/predict/delay", content=b"x" * 501)
            assert large.status_code == 413 and "error" in large.json()
            assert client.get("/models/nothing").status_code == 404
            assert b"fieldhouse_prediction_rows_total" in client.get("/models/metrics").content
