"""What a server and its workers hold, read from `/proc`: memory, descriptors, threads."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from registry.kernel.errors import Unavailable

_RESET_PEAK = "5"  # proc(5): resets VmHWM to the present resident size


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process and its workers: resident now, and at most since the last reset.

    The peak is the sum of the processes' own, an upper bound: they need not fall together.
    """

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
    """Raises `Unavailable` where the system has no /proc or the process is gone.

    Isolated models live in processes that the server started: theirs counts as well.
    """
    try:
        found = [_memory_of(pid)]
    except OSError as error:
        raise Unavailable(f"the memory of process {pid} cannot be read", str(error)) from error
    for worker in workers_of(pid):
        with suppress(OSError, KeyError):  # it ended just now
            found.append(_memory_of(worker))
    return Memory(sum(one.resident for one in found), sum(one.peak for one in found))


def _memory_of(pid: int) -> Memory:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return Memory(_kilobytes(fields["VmRSS"]), _kilobytes(fields["VmHWM"]))


def _kilobytes(text: str) -> int:
    return int(text.split()[0]) * 1024


def workers_of(pid: int) -> list[int]:
    """Every process that `pid` started, or that one of those did; those that live now."""
    parents = dict(_parents())
    known = {pid}
    while more := {child for child, parent in parents.items() if parent in known} - known:
        known |= more
    return sorted(known - {pid})


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                yield int(folder.name), int(read_stat(int(folder.name))[1])


def read_stat(pid: int) -> list[str]:
    """The fields of proc(5) stat behind the name, the state first. Raises `OSError`."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return text.rpartition(")")[2].split()  # a process name may hold spaces


def count_handles(pid: int) -> int:
    """Open descriptors and threads of a process and its workers. Raises `Unavailable`."""
    try:
        count = _handles_of(pid)
    except OSError as error:
        raise Unavailable(f"the descriptors of {pid} cannot be read", str(error)) from error
    for worker in workers_of(pid):
        with suppress(OSError):
            count += _handles_of(worker)
    return count


def _handles_of(pid: int) -> int:
    return sum(1 for kind in ("fd", "task") for _ in Path(f"/proc/{pid}/{kind}").iterdir())


def reset_peak(pid: int) -> bool:
    """Let the peak start again from the present size; False where the system forbids it."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True
