"""Plan and apply by size: 100 to 100,000 features in 50 repositories; one beside Feast's own.

Two questions. The fleet: what does a one-feature change in one repository cost when the registry
holds so many features in all? The peer: one repository of so many features, the same files, given
to `feast plan` and `feast apply` (SQL registry) and to us, each command in a process of its own and
stopped after a time limit.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.growth_plot import draw
from bench.registry_fleet import namespace, write_files

OUT = Path(__file__).parent / "out"
ROOT = Path(__file__).parent.parent
REPOSITORIES = 50
FLEET = tuple(int(n) for n in os.environ.get("FLEET", "100,1000,10000,100000").split(","))
PEER = tuple(int(n) for n in os.environ.get("PEER", "100,1000,10000").split(",") if n)
LIMIT_SECONDS = 180
REPEATS = 5
Facts = dict[str, Any]


def run() -> Facts:
    """Facts by size; the fleet's curves are drawn to bench/out/registry.svg."""
    load = os.getloadavg()[0]
    fleet = {size: _scratch(_fleet, size) for size in FLEET}
    peer = {size: _scratch(_peer, size) for size in PEER}
    OUT.mkdir(exist_ok=True)
    (OUT / "registry.svg").write_text(_picture(fleet))
    return {"load_before": load, "limit_seconds": LIMIT_SECONDS, "fleet": fleet, "peer": peer}


def _scratch(measure: Any, size: int) -> Facts:
    folder = Path(tempfile.mkdtemp(prefix="fh-bench-"))
    try:
        facts: Facts = measure(folder, size)
    finally:
        shutil.rmtree(folder)
    print(f"   {measure.__name__[1:]} {size}: {json.dumps(facts)}", flush=True)
    return facts


def _fleet(folder: Path, size: int) -> Facts:
    each = str(size // REPOSITORIES)
    filled = _step("fill", folder, str(REPOSITORIES), each)
    # The first run compiles the one view that changed; as an author's every run, start from that.
    kept = folder / "kept"
    shutil.copytree(folder / ".fieldhouse" / "cache", kept)
    runs = []
    for _ in range(REPEATS):
        shutil.rmtree(folder / ".fieldhouse" / "cache")
        shutil.copytree(kept, folder / ".fieldhouse" / "cache")
        runs.append(_step("change", folder, each))
    database = (folder / ".fieldhouse" / "registry.db").stat().st_size
    return {
        "fill": filled,
        "plan_one_change": {key: statistics.median(r[key] for r in runs) for key in runs[0]},
        "database_mb": round(database / 2**20, 1),
    }


def _peer(folder: Path, size: int) -> Facts:
    feast = _feast(folder / "feast", size)
    return {"fieldhouse": _ours(folder / "ours", size), "feast": feast}


def _ours(folder: Path, size: int) -> Facts:
    """`fieldhouse plan`: before anything is kept, again, and after one feature changed."""
    write_files(folder / "feature_repo", 0, size)
    (folder / "fieldhouse.toml").write_text(f'[project]\nnamespace = "{namespace(0)}"\n')
    load = _step("load", folder)
    shutil.rmtree(folder / ".fieldhouse", ignore_errors=True)
    first = _step("command", folder, "plan")
    again = _step("command", folder, "plan")
    assert not again["imported_feast"]
    landed = _step("land", folder)
    write_files(folder / "feature_repo", 0, size, changed=True)
    return {
        "load_definitions": load,
        "plan_first": first,
        "plan_again": again,
        "propose_and_apply": landed,
        "plan_one_change": _step("command", folder, "plan"),
    }


def _feast(folder: Path, size: int) -> Facts:
    from registry.adapters.feature_store import feature_store_yaml

    write_files(folder, 0, size)
    yaml = feature_store_yaml(namespace(0), folder / "registry.db")
    (folder / "feature_store.yaml").write_text(yaml)
    plan = _feast_command(folder, "plan")
    apply = _feast_command(folder, "apply")
    return {"plan": plan, "apply": apply, "plan_again": _feast_command(folder, "plan")}


def _feast_command(folder: Path, word: str) -> Facts:
    program = str(Path(sys.executable).with_name("feast"))
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [program, word, "--skip-source-validation"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "FEAST_USAGE": "False"},
            capture_output=True,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"seconds": None, "note": f"stopped after {LIMIT_SECONDS} s"}
    return {"seconds": round(time.perf_counter() - start, 3), "exit_code": done.returncode}


def _step(name: str, folder: Path, *arguments: str) -> Facts:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.registry_steps", name, folder, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    facts: Facts = json.loads(done.stdout.splitlines()[-1])
    return facts


def _picture(fleet: Facts) -> str:
    curves = {
        "apply all": {n: f["fill"]["apply_cpu_seconds"] for n, f in fleet.items()},
        "take all digests, nothing kept": {
            n: f["fill"]["compile_cpu_seconds"] for n, f in fleet.items()
        },
        "plan one change": {n: f["plan_one_change"]["plan_cpu_seconds"] for n, f in fleet.items()},
    }
    return draw("processor seconds by features in 50 repositories", curves)
