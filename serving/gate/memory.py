"""The memory of another process, read from `/proc`: resident now, and at most since a reset."""

from dataclasses import dataclass
from pathlib import Path

from registry.kernel.errors import Unavailable

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
