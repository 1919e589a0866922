"""From what was measured to what to ask a cluster for. Pure; a reliability engineer approves it."""

import math
from dataclasses import dataclass

import msgspec

from registry.kernel.canonical import digest
from serving.gate.policy import MIB

_ROUND_TO = 16 * MIB
_SPARE = 1.15  # what allocators and the next version may take beyond what was measured
_USED = 0.6  # share of a processor that is busy at the target rate: open loops queue above it
_LEAST_REPLICAS = 2  # one may be drained while the other answers
_LEAST_MILLICORES = 50
_START_PERIOD_SECONDS = 2
_START_SPARE = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What the gate saw of one server process. Bytes are resident."""

    rest_bytes: int
    load_peak_bytes: int
    under_load_bytes: int
    peak_bytes: int
    hot_swap_peak_bytes: int
    load_seconds: float
    growth_bytes_per_thousand: int
    cpu_seconds_per_prediction: float
    rate_per_second: float


@dataclass(frozen=True, slots=True)
class ResourceProfile:
    """The measurements, and what follows: per replica memory and processor, replicas, probes."""

    measured: Measured
    memory_request_bytes: int
    memory_limit_bytes: int
    cpu_request_millicores: int
    replicas: int
    most_replicas: int
    start_period_seconds: int
    start_failures: int

    @property
    def digest(self) -> str:
        return digest(msgspec.to_builtins(self))


def recommend(measured: Measured) -> ResourceProfile:
    """Memory: the request is what serving takes, the limit the worst of load peak and hot-swap
    peak, both with some to spare. Processor and replicas: the target rate at 60 % use."""
    request = _whole(max(measured.rest_bytes, measured.under_load_bytes) * _SPARE)
    worst = max(measured.load_peak_bytes, measured.hot_swap_peak_bytes, measured.peak_bytes)
    busy = measured.rate_per_second * measured.cpu_seconds_per_prediction / _USED
    replicas = max(_LEAST_REPLICAS, math.ceil(busy))
    millicores = max(_LEAST_MILLICORES, math.ceil(1000 * busy / replicas))
    seconds = measured.load_seconds * _START_SPARE + 10.0  # imports come before the load
    return ResourceProfile(
        measured=measured,
        memory_request_bytes=request,
        memory_limit_bytes=max(request, _whole(worst * _SPARE)),
        cpu_request_millicores=millicores,
        replicas=replicas,
        most_replicas=replicas * 4,
        start_period_seconds=_START_PERIOD_SECONDS,
        start_failures=math.ceil(seconds / _START_PERIOD_SECONDS),
    )


def _whole(size: float) -> int:
    return math.ceil(size / _ROUND_TO) * _ROUND_TO
