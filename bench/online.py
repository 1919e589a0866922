"""Online lookups over HTTP: one worker of ours beside Feast's server, a floor, and raw Redis.

Closed loop with one connection for latency and with eight for throughput; open loop at half of the
floor's throughput, counted from the intended time. Runs are interleaved, numbers are medians over
them. FIELDHOUSE_BENCH_FULL=1 measures every size instead of a few, and FIELDHOUSE_BENCH_KINDS
(k10v1,k50v5: 10 features in 1 view, 50 in 5) those of some kinds.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil
import uvloop

from bench.load import Measured, closed_loop, once, open_loop, request
from bench.online_shapes import ENTITIES, KINDS, QUICK, ROWS, Kind
from featureserver.redis_server import find_redis_server

REPEATS = int(os.environ.get("FIELDHOUSE_BENCH_REPEATS", "5"))
SECONDS = 0.6
FULL = bool(os.environ.get("FIELDHOUSE_BENCH_FULL"))
ASKED = tuple(filter(None, os.environ.get("FIELDHOUSE_BENCH_KINDS", "").split(",")))
RATIOS = ("p50_over_floor", "cpu_over_floor", "tail_over_floor", "times_feast")
SERVERS = tuple(os.environ.get("FIELDHOUSE_BENCH_SERVERS", "ours,floor,feast").split(","))


def run() -> dict[str, Any]:
    """Facts of every size; see `measure`."""
    shapes = [(n, kind) for kind in KINDS for n in ROWS] if FULL else list(QUICK)
    shapes = [(n, kind) for n, kind in shapes if not ASKED or kind.name in ASKED]
    with ExitStack() as stack:
        url = stack.enter_context(redis_on_tcp())
        subprocess.run([sys.executable, "-m", "bench.online_servers", "fill", url], check=True)
        running = {name: stack.enter_context(server(name, url)) for name in SERVERS}
        facts = {}
        for rows, kind in shapes:
            name = f"{rows} x {kind.features} in {kind.views}"
            facts[name] = uvloop.run(measure(running, url, rows, kind))
            print(f"{name:18} {told(facts[name])}", flush=True)
        memory = {n: psutil.Process(pid).memory_info().rss for n, (_, pid) in running.items()}
    return {"sizes": facts, "memory_bytes": memory, "load_average": os.getloadavg()}


async def measure(
    running: dict[str, tuple[str, int]], url: str, rows: int, kind: Kind
) -> dict[str, Any]:
    """Per server: p50, p99, p99.9 in ms, throughput, CPU ms per request; and ratios."""
    bodies = {name: bodies_for(address, rows, kind) for name, (address, _) in running.items()}
    same = [await once(running[n][0], bodies[n][0]) for n in ("ours", "floor") if n in running]
    assert all(one == same[0] for one in same), "the floor does not answer what we answer"
    closed: dict[str, list[dict[str, float]]] = {name: [] for name in running}
    for _ in range(REPEATS):
        for name, (address, pid) in running.items():
            slow = name == "feast"
            seconds = SECONDS * (2 if slow else 1)
            await closed_loop(address, bodies[name], 1, 0.05)
            latency = await closed_loop(address, bodies[name], 1, seconds)
            before = cpu_of(pid)
            many = await closed_loop(address, bodies[name], 8, seconds)
            used = cpu_of(pid) - before
            assert set(latency.statuses) | set(many.statuses) == {200}
            closed[name].append(facts_of(latency, many, used))
    found: dict[str, Any] = {name: medians(runs) for name, runs in closed.items()}
    found["open"] = await measure_open(running, bodies, found)
    found["redis_ms"] = raw_redis_ms(url, rows, kind)
    return found | ratios(found)


def facts_of(latency: Measured, many: Measured, cpu: float) -> dict[str, float]:
    return {
        "p50_ms": latency.at(0.5) * 1000,
        "p99_ms": latency.at(0.99) * 1000,
        "p99.9_ms": latency.at(0.999) * 1000,
        "per_second": many.per_second,
        "cpu_ms": cpu / len(many.latencies) * 1000,
    }


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {k: round(statistics.median(one[k] for one in runs), 4) for k in runs[0]}


async def measure_open(
    running: dict[str, tuple[str, int]], bodies: dict[str, list[bytes]], found: dict[str, Any]
) -> dict[str, Any]:
    """At half of the floor's throughput (of the slowest server's, for those that cannot)."""
    facts = {}
    for name, (address, _) in running.items():
        base = "floor" if name == "ours" and "floor" in running else name
        rate = max(2.0, found[base]["per_second"] / 2)
        run_of = await open_loop(address, bodies[name], rate, SECONDS * 2)
        facts[name] = {
            "per_second": round(rate, 1),
            "p50_ms": round(run_of.at(0.5) * 1000, 4),
            "p99_ms": round(run_of.at(0.99) * 1000, 4),
            "p99.9_ms": round(run_of.at(0.999) * 1000, 4),
        }
    return facts


def ratios(found: dict[str, Any]) -> dict[str, float]:
    made = {}
    ours = found["ours"]
    if "floor" in found:
        floor = found["floor"]
        made["p50_over_floor"] = round(ours["p50_ms"] / floor["p50_ms"], 3)
        made["cpu_over_floor"] = round(ours["cpu_ms"] / floor["cpu_ms"], 3)
        tails = (ours["p99_ms"] / ours["p50_ms"], floor["p99_ms"] / floor["p50_ms"])
        made["tail_over_floor"] = round(tails[0] / tails[1], 3)
    if "feast" in found:
        made["times_feast"] = round(ours["per_second"] / found["feast"]["per_second"], 1)
    return made


def told(found: dict[str, Any]) -> str:
    parts = [
        f"{n} p50 {found[n]['p50_ms']:.3f} p99 {found[n]['p99_ms']:.3f} ms "
        f"{found[n]['per_second']:.0f}/s cpu {found[n]['cpu_ms']:.3f} ms"
        for n in SERVERS
    ]
    parts += [
        f"open at {one['per_second']:.0f}/s {n} p50 {one['p50_ms']:.3f} p99 {one['p99_ms']:.3f} ms"
        for n, one in found["open"].items()
    ]
    parts += [f"redis {found['redis_ms']:.3f} ms"]
    parts += [
        f"{k} {found[k]}"
        for k in ("p50_over_floor", "tail_over_floor", "times_feast")
        if k in found
    ]
    return "; ".join(parts)


def bodies_for(address: str, rows: int, kind: Kind) -> list[bytes]:
    chosen = random.Random(rows)
    made = []
    for _ in range(50):
        ids = chosen.sample(range(ENTITIES), rows)
        body = {"feature_service": kind.name, "entities": {"id": ids}}
        made.append(request(address, "/get-online-features", json.dumps(body).encode()))
    return made


def raw_redis_ms(url: str, rows: int, kind: Kind) -> float:
    """The median time of the same MGET, asked by a blocking client with nothing else to do."""
    import hiredis

    host, port = url.removeprefix("redis://").split(":")
    suffixes = [f"}}test/{name}.1".encode() for name in kind.view_names()]
    from featureserver.key_encoders import short_integer
    from featureserver.keys import escape

    ids = random.Random(1).sample(range(ENTITIES), rows)
    keys = [b"{" + escape(short_integer(one)) + suffix for suffix in suffixes for one in ids]
    command = hiredis.pack_command(("MGET", *keys))
    times = []
    with socket.create_connection((host, int(port))) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(200):
            reader, started = hiredis.Reader(), time.perf_counter()
            link.sendall(command)
            while reader.gets() is False:
                reader.feed(link.recv(1 << 20))
            times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1000, 4)


def cpu_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@contextmanager
def redis_on_tcp() -> Iterator[str]:
    """A redis-server of our own on a free TCP port, as Feast's store needs one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(find_redis_server()), "--port", str(port), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


@contextmanager
def server(name: str, url: str) -> Iterator[tuple[str, int]]:
    """A server's address and process id."""
    command = [sys.executable, "-W", "ignore", "-m", "bench.online_servers", name, url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        wait_for(int(address.rpartition(":")[2]))
        yield address, process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
