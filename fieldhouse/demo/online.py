"""Steps 5 and 7: features in a real Redis, served over HTTP, and held against the warehouse."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from featureserver.bootstrap import open_materializer
from fieldhouse.demo.people import People
from fieldhouse.demo.spine import SERVICE
from fieldhouse.demo.stage import Stage
from registry.bootstrap import SqlRegistry
from registry.core.published import Published
from registry.kernel.clock import format_instant
from registry.kernel.errors import Unavailable
from registry.settings import TOKEN
from warehouse.engines.port import Engine

START_SECONDS = 60.0
SAMPLE = 300
KEYS = ("origin", "dest", "carrier", "tailnum")

Keys = Mapping[str, Sequence[Any]]


def materialize(stage: Stage, registry: SqlRegistry, people: People, engine: Engine) -> None:
    """Write each view's newest rows as of the demo's instant."""
    actor = registry.authority(people.operator, "operator").subject
    report = open_materializer(stage.settings, registry, engine).run(actor=actor)
    for view in report.views:
        stage.say(f"      {view.view:<24} {view.rows:>7,} rows  {view.seconds:.2f} s")
    stage.facts["materialized_rows"] = report.rows


def departures(registry: SqlRegistry, engine: Engine) -> Keys:
    """Keys of flights that leave in the hours after the demo's instant, by name."""
    table = engine.query(
        f"SELECT {', '.join(KEYS)} FROM flights WHERE tailnum IS NOT NULL "
        f"AND sched_dep_at >= TIMESTAMPTZ '{format_instant(registry.clock())}' "
        f"ORDER BY sched_dep_at, flight_id LIMIT {SAMPLE}"
    )
    return {name: table.column(name).to_pylist() for name in KEYS}


@contextmanager
def feature_server(stage: Stage) -> Iterator[str]:
    """`fieldhouse serve features` in a process of its own, on a free port; its URL."""
    log = stage.home / "feature-server.log"
    command = [sys.executable, "-m", "fieldhouse", "serve", "features", "--port", "0"]
    with log.open("wb") as opened:
        process = subprocess.Popen(
            command, stderr=opened, cwd=stage.settings.root, env=child_environment(stage)
        )
    try:
        yield _address(process, log.read_text)
    finally:
        process.terminate()
        process.wait()


def child_environment(stage: Stage) -> dict[str, str]:
    """The environment of a server: the demo's own settings and no token."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
    return {**kept, **{k: v for k, v in stage.settings.environ.items() if k != TOKEN.env}}


def _address(process: "subprocess.Popen[bytes]", read_log: Any) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"features on (http://\S+)", read_log())
        if found and _healthy(found[1]):
            return found[1]
        time.sleep(0.05)
    raise Unavailable("the feature server did not start", read_log().strip()[-400:])


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def ask(url: str, path: str, body: Mapping[str, Any]) -> Any:
    """POST a JSON body and read the JSON answer."""
    request = urllib.request.Request(
        f"{url}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def look_up(stage: Stage, url: str, keys: Keys) -> None:
    """Ask as a client of Feast's feature server would, and show some of the answer."""
    few = {name: list(values[:2]) for name, values in keys.items()}
    body = {"feature_service": SERVICE, "entities": few, "full_feature_names": True}
    stage.say(f"      POST {url}/get-online-features")
    stage.say(f"        {json.dumps(body)}")
    answer = ask(url, "/get-online-features", body)
    names = answer["metadata"]["feature_names"]
    for name, result in list(zip(names, answer["results"], strict=True))[4:9]:
        values = [round(v, 4) if isinstance(v, float) else v for v in result["values"]]
        stage.say(f"        {name:<44} {values!s:<20} {', '.join(result['statuses'])}")
    stage.say(f"        … {len(names) - 9} more")
    stage.facts["lookup_ms"] = _latencies(url, body)
    stage.say(
        f"      {_say_ms(stage.facts['lookup_ms'])} for 2 flights × {len(names) - 4} features"
    )


def _latencies(url: str, body: Mapping[str, Any], count: int = 200) -> dict[str, float]:
    """p50 and p99 in milliseconds over one kept connection, one request after another."""
    from http.client import HTTPConnection

    connection = HTTPConnection(url.removeprefix("http://"))
    data, seconds = json.dumps(body), []
    for _ in range(count):
        started = time.perf_counter()
        connection.request(
            "POST", "/get-online-features", data, {"Content-Type": "application/json"}
        )
        connection.getresponse().read()
        seconds.append(time.perf_counter() - started)
    connection.close()
    return quantiles(seconds)


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    p50, p99 = np.quantile(np.asarray(seconds) * 1000, [0.5, 0.99])
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3)}


def _say_ms(found: Mapping[str, float]) -> str:
    return f"p50 {found['p50']} ms, p99 {found['p99']} ms"


def offline_values(
    registry: SqlRegistry, engine: Engine, keys: Keys
) -> tuple[tuple[str, ...], pa.Table]:
    """What the point-in-time join gives for these keys at the demo's instant.

    Names and columns are those of the service, `view__feature`, in its order.
    """
    published = registry.published()
    count = len(next(iter(keys.values())))
    times = pa.array([registry.clock()] * count, pa.timestamp("us", tz="UTC"))
    spine = pa.table({**{n: pa.array(v) for n, v in keys.items()}, "at": times})
    columns: dict[str, pa.ChunkedArray] = {}
    for view, features in _by_view(published).items():
        joined = engine.as_of(spine, "at", published.view(view), features)
        columns |= {f"{view}__{name}": joined.column(name) for name in features}
    names = tuple(f"{pin.view}__{pin.feature}" for pin in published.service(SERVICE).features)
    return names, pa.table({name: columns[name] for name in names})


def _by_view(published: Published) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pin in published.service(SERVICE).features:
        found.setdefault(pin.view, []).append(pin.feature)
    return found


def compare(stage: Stage, registry: SqlRegistry, engine: Engine, url: str, keys: Keys) -> None:
    """Served values beside the offline point-in-time values, one by one."""
    body = {"feature_service": SERVICE, "entities": dict(keys), "full_feature_names": True}
    answer = ask(url, "/get-online-features", body)
    online = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    names, offline = offline_values(registry, engine, keys)
    compared = differing = absent = 0
    for name in names:
        theirs = [_plain(value) for value in offline.column(name).to_pylist()]
        ours = online[name]["values"]
        compared += len(ours)
        absent += sum(value is None for value in ours)
        different = [(o, t) for o, t in zip(ours, theirs, strict=True) if o != t]
        differing += len(different)
        for pair in different[:3]:
            stage.say(f"      {name}: served {pair[0]!r}, offline {pair[1]!r}")
    flights = len(next(iter(keys.values())))
    stage.say(f"      {flights} departing flights × {len(names)} features = {compared:,} values")
    stage.say(f"      {absent:,} are null on both sides; {differing} differ")
    stage.facts["parity"] = {"compared": compared, "differing": differing}


def _plain(value: Any) -> Any:
    """An offline value as JSON carries it."""
    return "NaN" if isinstance(value, float) and value != value else value
