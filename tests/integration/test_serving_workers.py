"""Isolated workers: what they get, what they cannot take with them, and how they end."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from registry.kernel.errors import Corrupt, Unavailable
from serving.worker.policy import WorkerPolicy
from serving.worker.process import ModelFailed, Worker, WorkerFailed, WorkerSpec

ROWS = np.array([[1.0, 2.0]])
PROBE = """
import json, os, resource, sys
def predict(model, rows):
    open_files = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    told = {
        "environment": sorted(os.environ), "here": os.getcwd(), "open": open_files,
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0], "path": sys.path,
    }
    return {"told": list(json.dumps(told).encode())}
"""
TRICKS = """
import os, time
import numpy as np
def predict(model, rows):
    wish = rows[0, 0]
    if wish == 1: time.sleep(60)
    if wish == 2: os._exit(3)
    if wish == 3: raise KeyError("no such column")
    if wish == 4: np.ones(1 << 34)
    if wish == 5: os.write(1, b"noise"); print("more noise")
    if wish == 6: os.write(3, b"garbage that is no frame at all, and long enough")
    return {"score": rows[:, 0] * 2}
"""


@pytest.fixture
def started():
    """Starts workers and ends them."""
    made = []

    def start(code, **policy):
        files = {"m.model.py": code.encode()}
        spec = WorkerSpec("m", "python", "m.model.py", files, (("score", 1),))
        made.append(Worker(spec, WorkerPolicy(**{"seconds": 10.0, **policy})))
        return made[-1]

    yield start
    for worker in made:
        worker.close()


def wish(number):
    return np.array([[float(number), 0.0]])


def wait_for_answer(worker, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return worker.ask(wish(0))
        except Unavailable:
            time.sleep(0.05)
    raise AssertionError("the worker was not started again")


def test_a_worker_inherits_no_secret_no_descriptor_and_no_path(started, monkeypatch):
    monkeypatch.setenv("FIELDHOUSE_AUTH_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    told = json.loads(bytes(started(PROBE, memory_bytes=2 << 30).ask(ROWS)["told"].tolist()))
    os.close(reading), os.close(writing)
    assert not [name for name in told["environment"] if "FIELDHOUSE" in name or "PYTHON" in name]
    assert len(told["open"]) <= 5 and told["here"] != str(Path.cwd())
    assert told["memory"] == 2 << 30 and "/somewhere" not in told["path"]


def test_a_worker_past_its_deadline_is_killed_and_started_again(started):
    worker = started(TRICKS, seconds=0.5)
    first = worker.pid
    with pytest.raises(WorkerFailed, match=r"within 0\.5 s"):
        worker.ask(wish(1))
    assert wait_for_answer(worker)["score"].tolist() == [0.0]
    assert worker.pid != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_worker_that_ends_in_mid_request_is_one_clear_error(started):
    worker = started(TRICKS)
    with pytest.raises(WorkerFailed, match="ended on this request") as caught:
        worker.ask(wish(2))
    assert "exit 3" in str(caught.value)
    assert wait_for_answer(worker)


def test_a_worker_killed_from_outside_is_one_clear_error(started):
    worker = started(TRICKS)
    killer = threading.Timer(0.3, lambda: os.kill(worker.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(WorkerFailed, match="exit -9"):
        worker.ask(wish(1))
    assert wait_for_answer(worker)


def test_requests_in_the_meantime_are_told_at_once(started):
    worker = started(TRICKS)
    with pytest.raises(WorkerFailed):
        worker.ask(wish(2))
    begun = time.monotonic()
    with pytest.raises(WorkerFailed, match="being started again"):
        worker.ask(wish(0))
    assert time.monotonic() - begun < 0.2
    assert wait_for_answer(worker)


def test_an_error_of_the_models_own_leaves_the_worker_alive(started):
    worker = started(TRICKS)
    first = worker.pid
    with pytest.raises(ModelFailed, match="KeyError"):
        worker.ask(wish(3))
    assert worker.ask(wish(0))["score"].tolist() == [0.0] and worker.pid == first


def test_memory_beyond_the_limit_is_the_models_own_error(started):
    with pytest.raises(ModelFailed, match="MemoryError"):
        started(TRICKS, memory_bytes=4 << 30).ask(wish(4))


def test_what_a_model_prints_does_not_reach_the_protocol(started):
    assert started(TRICKS).ask(wish(5))["score"].tolist() == [10.0]


def test_a_model_that_writes_into_the_protocol_hurts_itself_alone(started):
    worker = started(TRICKS, seconds=2.0)
    with pytest.raises(Unavailable):
        worker.ask(wish(6))
    assert wait_for_answer(worker)["score"].tolist() == [0.0]


@pytest.mark.parametrize("code", ["import nothing_of_this_name", "x = 1", "1 +"])
def test_a_model_that_does_not_load_says_why(started, code):
    with pytest.raises(Corrupt, match=r"Error"):
        started(code)


def test_calls_from_many_threads_take_turns(started):
    worker = started(TRICKS)
    found = {}

    def ask(number):
        found[number] = float(worker.ask(wish(number))["score"][0])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(10, 26)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: 2.0 * n for n in range(10, 26)}


def test_closing_takes_the_process_and_its_folder_away(started):
    worker = started(TRICKS)
    pid, folder = worker.pid, worker._folder
    worker.close()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_interpreter_that_is_not_there_is_said():
    spec = WorkerSpec("m", "python", "m.py", {"m.py": b""}, (), python=sys.executable + "-no")
    with pytest.raises(Exception, match="cannot start"):
        Worker(spec, WorkerPolicy())
