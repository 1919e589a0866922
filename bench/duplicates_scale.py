"""Ten new features checked against 100 to 100,000 registered ones, definitions and values.

The whole command, `fieldhouse check`, in a process of its own each time, and what of it is there
with an empty registry already: Python, feast, definitions, warehouse, sketches of the ten. Then the
same check inside one process. Three of the ten are registered too, in another unit.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.duplicates_fleet import NOW, fill, record
from bench.growth_plot import draw
from registry.kernel.settings import read_settings

OUT = Path(__file__).parent / "out"
ROOT = Path(__file__).parent.parent
SIZES = tuple(int(n) for n in os.environ.get("FLEET", "100,1000,10000,100000").split(","))
REPEATS = int(os.environ.get("REPEATS", "5"))
CUSTOMERS, DAYS, FEATURES, KNOWN = 120, 170, 10, 3
Facts = dict[str, Any]


def run() -> Facts:
    """Facts by size; the curves are drawn to bench/out/duplicates_scale.svg."""
    folder = Path(tempfile.mkdtemp(prefix="fh-duplicates-"))
    try:
        project = _project(folder)
        facts: Facts = {"load_before": os.getloadavg()[0], "sizes": {}}
        _command(project, empty=True)
        _register_some(project)
        for first, last in zip((0, *SIZES), SIZES, strict=False):
            _fill(project, first, last)
            facts["sizes"][last] = found = _measured(project)
            print(f"   {last}: {json.dumps(found)}", flush=True)
    finally:
        shutil.rmtree(folder)
    OUT.mkdir(exist_ok=True)
    (OUT / "duplicates_scale.svg").write_text(_picture(facts))
    return facts


def _measured(project: Path) -> Facts:
    """Medians; the command on the full and on an empty registry take turns."""
    _command(project)
    runs = [(_command(project), _command(project, empty=True)) for _ in range(REPEATS)]
    inside = json.loads(_run(["-m", "bench.duplicates_scale", str(project)])[2])
    full, empty = (statistics.median(run[side][0] for run in runs) for side in (0, 1))
    return {
        "command_seconds": round(full, 3),
        "empty_seconds": round(empty, 3),
        "beyond_empty_seconds": round(statistics.median(f[0] - e[0] for f, e in runs), 3),
        "peak_mb": round(max(full[1] for full, _ in runs)),
        "load": round(os.getloadavg()[0], 1),
        "database_mb": round((project / ".fieldhouse" / "registry.db").stat().st_size / 2**20),
        **inside,
    }


def _picture(facts: Facts) -> str:
    sizes = facts["sizes"].items()
    curves = {
        "whole command": {n: f["command_seconds"] for n, f in sizes},
        "beyond an empty registry": {n: max(f["beyond_empty_seconds"], 1e-3) for n, f in sizes},
        "check in one process": {n: f["inside_seconds"] for n, f in sizes},
    }
    return draw("seconds for ten new features, by registered features", curves)


def _project(folder: Path) -> Path:
    (folder / "warehouse_data").mkdir()
    pq.write_table(_orders(), folder / "warehouse_data" / "orders.parquet")
    (folder / "feature_repo").mkdir()
    (folder / "feature_repo" / "new.py").write_text(_DEFINITIONS)
    (folder / "fieldhouse.toml").write_text(
        f'[project]\nnamespace = "new"\n[clock]\ninstant = "{NOW:%Y-%m-%dT%H:%M:%SZ}"\n'
        "[feast]\nsync = false\n"
    )
    return folder


def _orders() -> pa.Table:
    """One order of each customer every day, with measures of several kinds."""
    rows = [(c, d) for d in range(DAYS) for c in range(CUSTOMERS)]
    start = NOW.timestamp() - DAYS * 86400
    at = pa.array([int((start + d * 86400) * 1e6) for _, d in rows], pa.timestamp("us", tz="UTC"))
    made = {
        f"m{n}": [((c * 7919 + d * 104729) * (2 * n + 3)) % 1009 for c, d in rows]
        for n in range(FEATURES)
    }
    return pa.table({"customer": [f"c{c}" for c, _ in rows], "known_at": at, **made})


_DEFINITIONS = f"""
from datetime import timedelta
from feast import Entity, FeatureView, Field, ValueType
from feast.types import Float64
from fieldhouse import SqlSource, governed

customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.STRING)


def view(n):
    query = (
        f"SELECT customer, known_at, AVG(m{{n}}) OVER (PARTITION BY customer ORDER BY known_at "
        f"RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW) + m{{n}} AS f{{n}} "
        f"FROM orders WHERE m{{n}} > 3"
    )
    source = SqlSource(name=f"s{{n}}", query=query, timestamp_field="known_at")
    field = Field(name=f"f{{n}}", dtype=Float64, description="x", tags=governed(unit="1"))
    tags = governed(owner="ada@example.com", state="production")
    return FeatureView(
        name=f"v{{n}}", entities=[customer], source=source, schema=[field], tags=tags,
        ttl=timedelta(9),
    )


views = [view(n) for n in range({FEATURES})]
globals().update({{f"v{{n}}": made for n, made in enumerate(views)}})
"""


def _command(project: Path, empty: bool = False) -> tuple[float, float, bytes]:
    """`fieldhouse check`: seconds, peak memory in MB, what it printed."""
    url = {"FIELDHOUSE_REGISTRY_URL": f"sqlite:///{project / 'empty.db'}"} if empty else {}
    done = _run(["-m", "fieldhouse", "check", "--json"], project, url)
    assert b'"findings"' in done[2], done[2]
    return done


def _run(
    command: list[str], folder: Path = ROOT, more: dict[str, str] | None = None
) -> tuple[float, float, bytes]:
    """Python in a process of its own, behind the words of RUN_WITH, where these are set."""
    before = os.environ.get("RUN_WITH", "").split()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}
    started = time.perf_counter()
    child = subprocess.Popen(
        [*before, sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    said = child.stdout.read()
    _, _, used = os.wait4(child.pid, 0)
    child.returncode = 0
    return time.perf_counter() - started, used.ru_maxrss / 1024, said


def _inside(project: Path) -> Facts:
    """The check alone, in a process that has opened everything: the first, and the median."""
    from registry.service.check import check

    context, compiled = _opened(project)
    times, found = [], 0
    for _ in range(REPEATS):
        started = time.perf_counter()
        checked = check(context, compiled)
        times.append(time.perf_counter() - started)
        found = sum(f.rule in ("near-duplicate", "duplicate-values") for f in checked.findings)
    return {
        "first_seconds": round(times[0], 3),
        "inside_seconds": round(statistics.median(times), 3),
        "found": found,
    }


def _opened(project: Path) -> tuple[Any, Any]:
    from fieldhouse.joins import command_ports
    from registry.bootstrap import open_registry
    from registry.cli.session import load_here

    settings = read_settings(project)
    ports = command_ports()
    assert ports.tables is not None
    assert ports.sketches is not None
    registry = open_registry(settings, ports.tables(settings), ports.sketches(settings))
    return registry.context, load_here(settings).compiled


def _sketched(project: Path) -> tuple[Any, ...]:
    """Sketches of the ten new features."""
    from registry.service.check import check

    context, compiled = _opened(project)
    made: tuple[Any, ...] = check(context, compiled).sketches
    return made


def _register_some(project: Path) -> None:
    """Some of the ten are registered elsewhere, in another unit."""
    from registry.adapters.sql.database import open_database
    from registry.adapters.sql.sketches import save_sketches
    from registry.adapters.sql.states import save_state
    from registry.core.state import NamespaceState
    from registry.settings import registry_url

    sketches = _sketched(project)[:KNOWN]
    named = [replace(record(10**6 + n), view="known", name=f"k{n}") for n in range(KNOWN)]
    known = [
        replace(s, ref=r.ref, values=s.values * 60) for s, r in zip(sketches, named, strict=True)
    ]
    database = open_database(registry_url(read_settings(project)))
    empty = NamespaceState("known")
    with database.write() as connection:
        after = replace(empty, number=1, features={r.ref: r for r in named})
        save_state(connection, empty, after)
        save_sketches(connection, "known", known, NOW)
    database.close()


def _fill(project: Path, first: int, last: int) -> None:
    from registry.adapters.sql.database import open_database
    from registry.settings import registry_url

    like = _sketched(project)[0]
    database = open_database(registry_url(read_settings(project)))
    fill(database, first, last, like.keys, like.anchors)
    database.close()


if __name__ == "__main__":
    print(json.dumps(_inside(Path(sys.argv[1]))))
