"""Joins of training rows with features as they were: ours beside Feast, DuckDB and Polars.

Each run is a process of its own, the contenders take turns, and times are to Arrow in memory. The
environment says more: FIELDHOUSE_BENCH_FEAST is a Python that has feast[duckdb] (Feast is left out
without it), FIELDHOUSE_BENCH_SIZES the sizes to run, FIELDHOUSE_BENCH_ROUNDS how often.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.growth_plot import draw
from bench.training_data import Shape, make

OUT = Path(__file__).parent / "out"
FULL = Shape("full", 1_000_000, 5_000_000)
SIZES = {
    "tenth": replace(FULL, name="tenth", spine=100_000, history=500_000, keys=10_000),
    "full": FULL,
    "tenfold": replace(FULL, name="tenfold", spine=10_000_000, history=50_000_000, keys=1_000_000),
}
SHAPES = {
    "zipf": replace(SIZES["tenth"], name="zipf", skew="zipf"),
    "half": replace(SIZES["tenth"], name="half", skew="half"),
    "once": replace(FULL, name="once", spine=200_000, history=2_000_000, views=1, skew="once"),
    "wide": replace(FULL, name="wide", spine=50_000, history=200_000, views=1, features=300),
    "late": replace(SIZES["tenth"], name="late", created=True),
}
RIVALS = ("duckdb", "polars")
SECONDS = 1_200
MOST_BYTES = 20 << 30  # of address space, so that a rival that wants more ends alone


def run() -> dict[str, Any]:
    """Medians and ratios for each size, unlike shapes, and the curves of cost."""
    folder = Path(os.environ.get("FIELDHOUSE_BENCH_DATA", tempfile.gettempdir())) / "training"
    rounds = int(os.environ.get("FIELDHOUSE_BENCH_ROUNDS", "5"))
    wanted = os.environ.get("FIELDHOUSE_BENCH_SIZES", "tenth,full,shapes,curves").split(",")
    found: dict[str, Any] = {"rounds": rounds, "load": os.getloadavg()[0]}
    for name in [name for name in wanted if name in SIZES]:
        found[name] = _compare(SIZES[name], folder, _contenders(name), rounds)
        _print(name, found[name])
    if "shapes" in wanted:
        for name, shape in SHAPES.items():
            rivals = () if shape.created else RIVALS
            found[name] = _compare(shape, folder, ("ours", *rivals), max(1, rounds - 2))
            _print(name, found[name])
    if "curves" in wanted:
        found["curves"] = _curves(folder)
    return found


def _contenders(size: str) -> Sequence[str]:
    """Feast has no memory for ten times the size; we have a second way that needs little."""
    return ("ours", "stream", *RIVALS) if size == "tenfold" else ("ours", *RIVALS, "feast")


def _compare(shape: Shape, folder: Path, who: Sequence[str], rounds: int) -> dict[str, Any]:
    """The median seconds and peak bytes of each contender, run in turn."""
    place = make(shape, folder)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in who}
    failed: dict[str, str] = {}
    for number in range(rounds):
        for name in who:
            if name == "feast" and (number > 0 or "FIELDHOUSE_BENCH_FEAST" not in os.environ):
                continue  # Feast takes minutes: once is enough
            answer = _once(name, shape, place)
            if isinstance(answer, str):
                failed[name] = answer
            else:
                runs[name].append(answer)
    kept = {name: answers for name, answers in runs.items() if answers}
    agree = {(a["found"], round(a["sum"], 0)) for answers in kept.values() for a in answers}
    return {
        "spine": shape.spine,
        "history": shape.history,
        "medians": {name: _medians(answers) for name, answers in kept.items()},
        "failed": failed,
        "same answer": len(agree) == 1,
    }


def _once(who: str, shape: Shape, place: Path) -> dict[str, Any] | str:
    """What a contender printed, or how it ended instead."""
    python = os.environ["FIELDHOUSE_BENCH_FEAST"] if who == "feast" else sys.executable
    command = [python, "-W", "ignore", "-m", "bench.training_contenders", who]
    command += [json.dumps(asdict(shape)), str(place)]
    limit = ["prlimit", f"--as={MOST_BYTES}"] if shutil.which("prlimit") else []
    try:
        done = subprocess.run(
            [*limit, *command], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"took more than {SECONDS} s"
    if done.returncode:
        return f"ended with {done.returncode}: {done.stderr.strip()[-200:]}"
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _medians(answers: Sequence[dict[str, Any]]) -> dict[str, float]:
    return {
        key: round(statistics.median(answer[key] for answer in answers), 3)
        for key in ("seconds", "processor", "peak")
    }


def _print(name: str, result: dict[str, Any]) -> None:
    medians = result["medians"]
    ours = medians["ours"]
    for who, found in medians.items():
        shares = (f"{ours[part] / found[part]:.2f}" for part in ("seconds", "processor", "peak"))
        mib = found["peak"] / 2**20
        print(
            f"   {name:<6} {who:<7} {found['seconds']:8.2f} s {mib:8.0f} MiB; ours of it:", *shares
        )
    for who, how in result["failed"].items():
        print(f"   {name:<6} {who:<7} {how}")
    print(f"   {name:<6} all the same answer: {result['same answer']}")


def _growing() -> Iterator[tuple[str, int, Shape]]:
    """Shapes that grow in one way each, and by how much."""
    base = replace(FULL, spine=100_000, history=400_000, views=1, keys=10_000)
    for factor in (1, 2, 4, 8):
        yield "spine", factor, replace(base, spine=100_000 * factor)
        yield "history", factor, replace(base, history=400_000 * factor)
        yield "views", factor, replace(base, views=factor)
        yield "features", factor, replace(base, features=10 * factor)


def _curves(folder: Path) -> dict[str, dict[int, float]]:
    """Seconds of our join by how many times each of the four has grown; draws them too."""
    curves: dict[str, dict[int, float]] = {}
    for what, factor, shape in _growing():
        place = make(replace(shape, name=f"{what}-{factor}"), folder)
        answers = [_once("ours", shape, place) for _ in range(3)]
        seconds = [answer["seconds"] for answer in answers if not isinstance(answer, str)]
        curves.setdefault(what, {})[factor] = round(statistics.median(seconds), 3)
    OUT.mkdir(exist_ok=True)
    (OUT / "training.svg").write_text(draw("Seconds of a join, each part grown", curves))
    return curves
