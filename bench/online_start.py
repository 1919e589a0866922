"""From the command to the first answer of the feature server, beside a bare FastAPI application."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from registry.testing import feature, published, view

RUNS = int(os.environ.get("FIELDHOUSE_BENCH_REPEATS", "7"))
BARE = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.post("/get-online-features")
def answer(body: dict) -> dict:
    return body
uvicorn.run(app, port=int(sys.argv[1]), log_config=None)
"""
BODY = b'{"features": ["v:f"], "entities": {"id": [1]}}'


def run() -> dict[str, Any]:
    """Medians in seconds, the ratio, and resident bytes after the first answer."""
    from bench.online import redis_on_tcp
    from tests.feature_server import write_project

    found: dict[str, list[tuple[float, int]]] = {"fastapi": [], "ours": []}
    with redis_on_tcp() as url, tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder), published(view("v", [feature("f")])), url)
        for _ in range(RUNS):
            for name, times in found.items():
                port = free_port()
                times.append(first_answer(command(name, port), port, folder))
    seconds = {name: statistics.median(t for t, _ in times) for name, times in found.items()}
    memory = {name: statistics.median(m for _, m in times) for name, times in found.items()}
    ratio = round(seconds["ours"] / seconds["fastapi"], 2)
    print(f"   fastapi {seconds['fastapi']:.3f} s, ours {seconds['ours']:.3f} s, ratio {ratio}")
    print(f"   resident {memory['fastapi'] / 2**20:.0f} and {memory['ours'] / 2**20:.0f} MiB")
    return {"seconds": seconds, "ratio": ratio, "resident_bytes": memory}


def command(name: str, port: int) -> list[str]:
    if name == "fastapi":
        return [sys.executable, "-c", BARE, str(port)]
    return [sys.executable, "-m", "fieldhouse", "serve", "features", "--port", str(port)]


def first_answer(words: list[str], port: int, folder: str) -> tuple[float, int]:
    """Seconds until a POST is answered 200, and the resident bytes then."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    head = f"POST /get-online-features HTTP/1.0\r\nContent-Length: {len(BODY)}\r\n"
    whole = head.encode() + b"Content-Type: application/json\r\n\r\n" + BODY
    started = time.perf_counter()
    process = subprocess.Popen(
        words, cwd=folder, env=environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        while time.perf_counter() - started < 60:
            if ask(port, whole).startswith(b"HTTP/1.1 200"):
                return time.perf_counter() - started, psutil.Process(process.pid).memory_info().rss
            time.sleep(0.005)
        raise TimeoutError(f"{words} did not answer")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def ask(port: int, whole: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            link.sendall(whole)
            return link.recv(4096)
    except OSError:
        return b""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
