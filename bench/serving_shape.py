"""What the serving benchmark predicts: the example's service and model, the same everywhere.

Ten views over four entity keys, 42 numbers, and trees of the example's own parameters. The values
are made up: what a tree costs depends on its shape, not on what its columns mean.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
SEEN = NOW - timedelta(minutes=20)
NAME = "flight_delay"
WIDE = "flight_delay_rows"
COUNT = 200
VIEWS: dict[str, tuple[tuple[str, ...], int]] = {
    "airport_weather": (("origin",), 9),
    "airport_congestion": (("origin",), 5),
    "destination_arrivals": (("dest",), 3),
    "destination_place": (("dest",), 3),
    "plane_attributes": (("tailnum",), 3),
    "plane_departures": (("tailnum",), 1),
    "plane_performance": (("tailnum",), 4),
    "carrier_departures": (("carrier",), 2),
    "carrier_performance": (("carrier",), 5),
    "route_performance": (("origin", "dest"), 7),
}
KEYS = ("origin", "dest", "tailnum", "carrier")


def features_of(view: str) -> list[str]:
    return [f"{view}_{i}" for i in range(VIEWS[view][1])]


COLUMNS = [name for view in VIEWS for name in features_of(view)]


def entity(key: str, number: int) -> str:
    return f"{key}-{number:04d}"


def keys_of(number: int) -> dict[str, str]:
    """The entity keys of one request; origin and destination go together in a route."""
    return {key: entity(key, number % COUNT) for key in KEYS}


@cache
def table() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The features of entity i, float64 [COUNT, 42]."""
    return np.random.default_rng(5).normal(size=(COUNT, len(COLUMNS)))


def view_columns(view: str) -> slice:
    at = 0
    for name, (_, width) in VIEWS.items():
        if name == view:
            return slice(at, at + width)
        at += width
    raise KeyError(view)


def train(file: Path) -> None:
    """Trees of the example's parameters, as many, on rows with some signal in them."""
    import xgboost as xgb

    from fieldhouse.demo.train import PARAMETERS, ROUNDS

    chooser = np.random.default_rng(9)
    rows = chooser.normal(size=(20_000, len(COLUMNS)))
    risk = rows[:, :6].sum(axis=1) + chooser.normal(size=len(rows)) * 2
    data = xgb.DMatrix(rows, (risk > 1.5).astype(int))
    xgb.train(PARAMETERS, data, ROUNDS).save_model(file)


def published_state() -> Any:
    from registry.testing import feature, published, view

    views = [
        view(
            name, [feature(one, "float64") for one in features_of(name)],
            dict.fromkeys(keys, "string"), ttl_seconds=86_400.0,
        )
        for name, (keys, _) in VIEWS.items()
    ]  # fmt: skip
    refs = [f"{name}:{one}" for name in VIEWS for one in features_of(name)]
    return published(*views, services={NAME: refs})


def fill(url: str) -> None:
    """Write the rows that our lookup reads."""
    from featureserver.keys import key_space
    from featureserver.rows import pack
    from featureserver.stores.redis import RedisOnlineStore, connect

    store, state = RedisOnlineStore(connect(url, 30.0)), published_state()
    columns = {key: [entity(key, i) for i in range(COUNT)] for key in KEYS}
    for name, (keys, _) in VIEWS.items():
        made = state.views[name]
        wanted = key_space(made).keys({key: columns[key] for key in keys})
        values = table()[:, view_columns(name)].tolist()
        rows = [
            pack(made.row_schema, dict(zip(features_of(name), row, strict=True)), SEEN)
            for row in values
        ]
        store.write([key for key in wanted if key is not None], rows, rewrite=True)
    store.close()


def open_room(folder: Path, url: str) -> Any:
    """Our model room over Redis at `url`, with the model packaged in `folder`."""
    from registry.kernel.settings import Settings
    from registry.testing import InMemoryRegistry
    from serving.bootstrap import open_serving

    values = {
        "clock": {"instant": NOW.isoformat().replace("+00:00", "Z")},
        "online": {"url": url},
    }
    settings = Settings(folder, None, values, {})
    return open_serving(settings, InMemoryRegistry(published_state()), own_process=True)


def package(room: Any, model: Path) -> tuple[str, str]:
    from serving.package import Parts
    from serving.signature import Output

    output = Output("probability", "FP32", (-1,), 0.0, 1.0)
    parts = Parts(
        name=NAME,
        model_file=model,
        signature=room.signature(NAME, [output], COLUMNS),
        golden_rows=table()[:8],
        service=NAME,
    )
    record = room.package(parts, actor="bench")
    return record.name, record.version


def package_wide(room: Any, model: Path) -> tuple[str, str]:
    """The same trees over one tensor of 42 columns, without a lookup: what MLServer is asked."""
    from serving.package import Parts
    from serving.signature import Input, Output, Signature

    rows = Input("rows", shape=(-1, len(COLUMNS)))
    output = Output("probability", "FP32", (-1,), 0.0, 1.0)
    parts = Parts(
        name=WIDE, model_file=model, signature=Signature((rows,), (output,)),
        golden_rows=table()[:8],
    )  # fmt: skip
    record = room.package(parts, actor="bench")
    return record.name, record.version
