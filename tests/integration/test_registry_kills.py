"""Applies that are killed: nothing is half-applied, and the audit chain stays whole."""

import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.bootstrap import SqlRegistry
from registry.service.apply import apply
from registry.service.verify import verify_audit
from tests.apply_worker import ADA, next_change, opened, problems, put_forward

ROOT = Path(__file__).parents[2]
Start = Callable[[str, int], "subprocess.Popen[str]"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Empty for the SQLite file in the test's folder."""
    found = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return str(found)


@pytest.fixture
def start(tmp_path: Path, url: str) -> Iterator[Start]:
    """Starts a worker in a mode; those still running are killed at the end."""
    started = []

    def run(mode: str, seed: int) -> "subprocess.Popen[str]":
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.apply_worker", str(tmp_path), url, mode, str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(worker)
        return worker

    yield run
    for worker in started:
        _kill(worker)


@pytest.fixture
def registry(tmp_path: Path, url: str) -> Iterator[SqlRegistry]:
    found = opened(tmp_path, url)
    yield found
    found.database.close()


def _kill(worker: "subprocess.Popen[str]") -> list[str]:
    """Kill, and give the whole lines that it had printed."""
    worker.kill()
    said = worker.stdout.read() if worker.stdout and not worker.stdout.closed else ""
    if worker.stdout:
        worker.stdout.close()
    worker.wait()
    return said.splitlines()


def _first_line(workers: "list[subprocess.Popen[str]]") -> str:
    """A line of the first worker to say one."""
    streams = [worker.stdout for worker in workers if worker.stdout is not None]
    (first, *_), _, _ = select.select(streams, [], [], 60)
    return str(first.readline())


@pytest.mark.slow
def test_an_apply_killed_before_any_of_its_statements_has_changed_nothing(start: Start) -> None:
    worker = start("every", 0)
    said, _ = worker.communicate(timeout=100)
    runs = [json.loads(line) for line in said.splitlines()]
    assert len(runs) > 10
    assert [run["problems"] for run in runs] == [[] for _ in runs]
    *killed, last = runs
    assert {(run["killed"], run["grown"]) for run in killed} == {(True, 0)}
    assert (last["killed"], last["grown"]) == (False, 1)


@pytest.mark.slow
def test_of_concurrent_applies_killed_at_random_none_is_lost_or_half_there(
    start: Start, registry: SqlRegistry
) -> None:
    seed = random.randrange(10**6)
    chosen = random.Random(seed)
    said: list[str] = []
    workers = [start("loop", chosen.randrange(10**6)) for _ in range(3)]
    for _ in range(5):
        said.append(_first_line(workers))  # all are in the middle of something
        time.sleep(chosen.uniform(0.0, 0.3))
        for place in chosen.sample(range(3), 2):
            said += _kill(workers[place])
            workers[place] = start("loop", chosen.randrange(10**6))
        assert problems(registry) == [], f"seed {seed}"
    for worker in workers:
        said += _kill(worker)
    assert problems(registry) == [], f"seed {seed}"
    with registry.context.store.read() as transaction:
        landed = [e.event for e in transaction.events() if e.event.action == "proposal:applied"]
    told = {line.split()[0] for line in said if line.count(" ") == 1}
    assert told <= {event.subject for event in landed}, f"seed {seed}"
    assert len(landed) >= 5
    made = next_change(registry, 7)
    assert apply(registry.context, put_forward(registry, made), made, ADA).changed
    assert verify_audit(registry.context).problems == ()
