"""The servers of the serving benchmark: `python -m bench.serving_servers KIND MODEL REDIS SOCKET`.

`ours` is the shipped data plane. `feast` is what one writes by hand first: FastAPI, pydantic, the
Feast SDK and XGBoost's own call. `noop` answers nothing at all, by ASGI. Each prints its TCP
address; `ours` and `noop` listen on the Unix socket too.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.feast_store import FeastTable, feast_store
from bench.serving_shape import (
    COLUMNS,
    COUNT,
    NAME,
    SEEN,
    VIEWS,
    entity,
    features_of,
    open_room,
    package,
    package_wide,
    table,
    view_columns,
)  # fmt: skip


def serve_ours(model: Path, url: str, path: Path) -> None:
    from featureserver.server import serve
    from serving.hosting import open_data_plane
    from serving.settings import WAKEFUL_MICROS

    with tempfile.TemporaryDirectory() as folder:
        room = open_room(Path(folder), url)
        app = open_data_plane(room, [package(room, model), package_wide(room, model)])
        wakeful_seconds = float(room.settings.get(WAKEFUL_MICROS)) / 1e6
        serve(app, _listen(path), 5, wakeful_seconds=wakeful_seconds)


async def _noop(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def serve_noop(model: Path, url: str, path: Path) -> None:
    import uvicorn

    config = uvicorn.Config(
        _noop, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, timeout_keep_alive=60,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=_listen(path))


def _listen(path: Path) -> list[Any]:
    from featureserver.listen import listen_tcp, listen_unix
    from featureserver.server import address_of

    sockets = [listen_tcp("127.0.0.1", 0), listen_unix(path)]
    print(address_of(sockets[0]), flush=True)
    return sockets


def serve_feast(model: Path, url: str, path: Path) -> None:
    """One route, typed by pydantic: entity keys in, features by the Feast SDK, trees after that."""
    import warnings

    warnings.simplefilter("ignore")
    import numpy as np
    import uvicorn
    import xgboost as xgb
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Asked(BaseModel):
        entities: list[dict[str, str]]

    class Answer(BaseModel):
        probability: list[float]

    booster = xgb.Booster(model_file=model)
    booster.set_param({"nthread": 1})
    with tempfile.TemporaryDirectory() as folder:
        services = {NAME: list(VIEWS)}
        store = feast_store(Path(folder), url, feast_tables(), services, "STRING")
        service = store.get_feature_service(NAME)
        app = FastAPI()

        @app.post("/predict")
        def predict(asked: Asked) -> Answer:
            found = store.get_online_features(features=service, entity_rows=asked.entities)
            columns = found.to_dict()
            rows = np.array([columns[name] for name in COLUMNS], dtype=float).T
            return Answer(probability=booster.inplace_predict(rows).tolist())

        @app.post("/features")
        def features(rows: list[list[float]]) -> Answer:
            return Answer(probability=booster.inplace_predict(np.array(rows)).tolist())

        config = uvicorn.Config(
            app, http="httptools", ws="none", lifespan="on", log_config=None, access_log=False,
            timeout_keep_alive=60,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=_listen(path))


def feast_tables() -> list[FeastTable]:
    """The same views and rows as ours."""
    tables = []
    for name, (keys, _) in VIEWS.items():
        columns: dict[str, Any] = {key: [entity(key, i) for i in range(COUNT)] for key in keys}
        values = table()[:, view_columns(name)]
        columns |= {one: values[:, i] for i, one in enumerate(features_of(name))}
        columns["at"] = [SEEN] * COUNT
        tables.append(FeastTable(name, keys, features_of(name), columns))
    return tables


SERVERS = {"ours": serve_ours, "noop": serve_noop, "feast": serve_feast}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
