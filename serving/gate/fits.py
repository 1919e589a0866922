"""Fits? Memory of a fresh process, read from outside: while loading, at rest, under load."""

from dataclasses import dataclass
from pathlib import Path

from registry.kernel.errors import Unavailable
from serving.gate.report import Check, GatePolicy

QUESTION = "fits?"
_RESET_PEAK = "5"  # proc(5): resets VmHWM to the present resident size


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one process: resident now, and at most since the last reset."""

    resident: int
    peak: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """A candidate's memory from import to rest, and how long loading took."""

    imported: Memory
    loaded: Memory
    load_seconds: float
    peak_was_reset: bool


def read_memory(pid: int) -> Memory:
    """Raises `Unavailable` where the system has no /proc or the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError as error:
        raise Unavailable(f"the memory of process {pid} cannot be read", str(error)) from error
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return Memory(_kilobytes(fields["VmRSS"]), _kilobytes(fields["VmHWM"]))


def _kilobytes(text: str) -> int:
    return int(text.split()[0]) * 1024


def reset_peak(pid: int) -> bool:
    """Let the peak start again from the present size; False where the system forbids it."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def check_memory(footprint: Footprint, after_load: Memory, policy: GatePolicy) -> list[Check]:
    """The load peak and load time against the policy. `after_load` was read after the load run."""
    peak = max(footprint.loaded.peak, after_load.peak)
    numbers = {
        "imported_bytes": footprint.imported.resident,
        "load_peak_bytes": footprint.loaded.peak,
        "rest_bytes": footprint.loaded.resident,
        "under_load_bytes": after_load.resident,
        "peak_bytes": peak,
        "load_peak_over_rest": footprint.loaded.peak / max(1, footprint.loaded.resident),
        "peak_was_reset": footprint.peak_was_reset,
    }
    megabytes = f"{footprint.loaded.peak / 1e6:.0f} MB at most while loading"
    message = (
        f"{megabytes}, {footprint.loaded.resident / 1e6:.0f} MB at rest, {peak / 1e6:.0f} MB in all"
    )
    seconds = footprint.load_seconds
    return [
        Check("fits.memory", QUESTION, peak <= policy.max_peak_bytes, message, numbers),
        Check(
            "fits.load_time",
            QUESTION,
            seconds <= policy.max_load_seconds,
            f"loads in {seconds:.2f} s; allowed {policy.max_load_seconds:g} s",
            {"load_seconds": seconds},
        ),
    ]
