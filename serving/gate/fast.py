"""Fast enough? Open-loop load at a stated rate, each latency counted from the intended moment.

A closed loop would wait for a slow answer before asking again and never see the queue behind it.
"""

import itertools
import statistics
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter, sleep

import numpy as np
from numpy.typing import NDArray

from serving.gate.policy import GatePolicy
from serving.gate.report import Check
from serving.wire import Address, Connection

QUESTION = "fast enough?"
_CONNECTIONS = 4
_HEAD_START_SECONDS = 0.05
_SILENCES = 3


@dataclass
class LoadResult:
    """What a load run saw. `seconds` are latencies from the intended moment, answered or not."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def quantile_ms(self, level: float) -> float:
        return float(np.quantile(self.seconds, level)) * 1e3 if self.seconds else float("nan")


def run_load(
    address: Address,
    requests: Sequence[bytes],
    rate_per_second: float,
    seconds: float,
    connections: int = _CONNECTIONS,
) -> LoadResult:
    """Send `requests` in turn, one every 1/rate seconds, whether or not earlier ones came back."""
    total = max(1, int(rate_per_second * seconds))
    turns = itertools.count()  # next() on it is one step, so threads share it without a lock
    result = LoadResult()
    start = perf_counter() + _HEAD_START_SECONDS

    def work() -> None:
        try:
            with Connection(address) as connection:
                while (turn := next(turns)) < total:
                    due = start + turn / rate_per_second
                    _wait_until(due)
                    reply = connection.send(requests[turn % len(requests)])
                    result.seconds.append(perf_counter() - due)
                    if reply.status != 200:
                        result.errors.append(f"{reply.status} {reply.body[:200]!r}")
        except OSError as error:
            result.errors.append(str(error))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return result


def _wait_until(moment: float) -> None:
    while (left := moment - perf_counter()) > 0:
        sleep(left)


def time_once(address: Address, request: bytes) -> float:
    """Seconds that one request takes over a new connection. Raises `OSError`."""
    started = perf_counter()
    with Connection(address) as connection:
        connection.send(request)
    return perf_counter() - started


def time_after_silence(address: Address, request: bytes, idle_seconds: float) -> float:
    """Seconds that a request takes which comes after nobody asked anything; the middle of three."""
    found = []
    for _ in range(_SILENCES):
        sleep(idle_seconds)
        found.append(time_once(address, request))
    return statistics.median(found)


def check_first(after_load: float, after_silence: float, policy: GatePolicy) -> Check:
    """The first answer after loading and the first after a silence, both in seconds."""
    found = {"after_load_ms": after_load * 1e3, "after_silence_ms": after_silence * 1e3}
    message = (
        f"the first answer after loading takes {found['after_load_ms']:.1f} ms, after "
        f"{policy.idle_seconds:g} s of silence {found['after_silence_ms']:.1f} ms; "
        f"allowed {policy.first_ms:g} ms"
    )
    passed = max(found.values()) <= policy.first_ms
    numbers = {**found, "limit_ms": policy.first_ms, "idle_seconds": policy.idle_seconds}
    return Check("fast.first", QUESTION, passed, message, numbers)


def check_latency(result: LoadResult, expected: int, policy: GatePolicy) -> list[Check]:
    """p50 and p99 against the objectives; an error or a request unanswered fails both."""
    answered = len(result.seconds)
    numbers = {
        "rate_per_second": policy.rate_per_second,
        "requests": expected,
        "answered": answered,
        "errors": len(result.errors),
        "p50_ms": result.quantile_ms(0.5),
        "p90_ms": result.quantile_ms(0.9),
        "p99_ms": result.quantile_ms(0.99),
        "max_ms": result.quantile_ms(1.0),
        "curve_ms": latency_curve(result.seconds),
    }
    if result.errors or answered < expected:
        message = f"{expected - answered} of {expected} unanswered, errors: {result.errors[:1]}"
        return [Check("fast.errors", QUESTION, False, message, numbers)]
    return [
        _objective("fast.p50", numbers["p50_ms"], policy.p50_ms, numbers),
        _objective("fast.p99", numbers["p99_ms"], policy.p99_ms, {}),
    ]


def _objective(check_id: str, found: object, limit: float, numbers: dict[str, object]) -> Check:
    value = float(found)  # type: ignore[arg-type]
    message = f"{check_id[5:]} {value:.2f} ms at the target rate; the objective is {limit:g} ms"
    return Check(check_id, QUESTION, value <= limit, message, {"found_ms": value, **numbers})


def check_incumbent(
    candidate: LoadResult, incumbent: LoadResult, policy: GatePolicy
) -> list[Check]:
    """p50 and p99 against the incumbent's under the same load on the same machine."""
    checks = []
    for level, name in ((0.5, "p50"), (0.99, "p99")):
        found, before = candidate.quantile_ms(level), incumbent.quantile_ms(level)
        limit = before * policy.slower_ratio + policy.slower_slack_ms
        numbers = {
            "found_ms": found,
            "incumbent_ms": before,
            "limit_ms": limit,
            "incumbent_curve_ms": latency_curve(incumbent.seconds) if name == "p50" else [],
        }
        message = (
            f"{name} {found:.2f} ms, the incumbent's is {before:.2f} ms; allowed {limit:.2f} ms"
        )
        passed = found <= limit  # NaN, an incumbent that answered nothing, is no pass
        checks.append(Check(f"fast.{name}_incumbent", QUESTION, passed, message, numbers))
    return checks


def check_lookup(result: LoadResult, expected: int, policy: GatePolicy, place: str) -> Check:
    """p50 and p99 of requests that send entity keys alone, against the same objectives."""
    p50, p99 = result.quantile_ms(0.5), result.quantile_ms(0.99)
    answered = len(result.seconds)
    numbers = {
        "measured": place,
        "requests": expected,
        "answered": answered,
        "errors": len(result.errors),
        "p50_ms": p50,
        "p99_ms": p99,
        "lookup_curve_ms": latency_curve(result.seconds),
    }
    if result.errors or answered < expected:
        message = f"{expected - answered} of {expected} unanswered, errors: {result.errors[:1]}"
        return Check("fast.lookup", QUESTION, False, message, numbers)
    message = (
        f"with lookup p50 {p50:.2f} ms, p99 {p99:.2f} ms, {place}; the objectives are "
        f"{policy.p50_ms:g} and {policy.p99_ms:g} ms"
    )
    passed = p50 <= policy.p50_ms and p99 <= policy.p99_ms
    return Check("fast.lookup", QUESTION, passed, message, numbers)


def latency_curve(seconds: Sequence[float]) -> list[float]:
    """Quantiles 0, 1/50, …, 1 in milliseconds, for the page; empty without answers."""
    if not seconds:
        return []
    levels: NDArray[np.float64] = np.linspace(0, 1, 51)
    return [round(float(value) * 1e3, 4) for value in np.quantile(seconds, levels)]
