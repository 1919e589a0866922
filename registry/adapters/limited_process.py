"""Runs a program in a process group of its own, for a limited time and without our secrets."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import registry

_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")
_TAIL_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the program ended: its exit code (None when it was stopped), and its last words."""

    code: int | None
    stderr: str

    @property
    def timed_out(self) -> bool:
        return self.code is None


def run_limited(arguments: Sequence[str], *, folder: Path, seconds: float) -> Outcome:
    """Run a program in `folder`; what it prints goes nowhere, what it leaves running is killed.

    Its environment holds paths and language only. Waits at most `seconds` of wall time.
    """
    with tempfile.TemporaryDirectory(prefix="fieldhouse-") as home, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            list(arguments),
            cwd=folder,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(process)
        return Outcome(code, _tail(err.fileno()))


def limit_memory(megabytes: int) -> None:
    """No more address space than this for the process, where the system can hold it to that."""
    try:
        import resource
    except ImportError:
        return
    size = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _environment(home: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    rooms = str(Path(registry.__file__).resolve().parent.parent)
    return {
        **kept,
        "HOME": home,
        "PYTHONPATH": rooms,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "FEAST_USAGE": "False",
        "OMP_NUM_THREADS": "1",
        "TZ": "UTC",
    }


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    return os.pread(descriptor, _TAIL_BYTES, start).decode(errors="replace")
