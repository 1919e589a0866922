"""The server's side of one isolated worker: start, ask with a deadline, kill, start again.

The worker gets no environment variable, descriptor or working folder of ours: a bare environment,
two pipes and stderr, and a scratch folder that holds its files.
"""

import contextlib
import json
import logging
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, FieldhouseError, Invalid, Unavailable
from serving.tensors import Array
from serving.worker import child
from serving.worker.policy import WorkerPolicy

logger = logging.getLogger(__name__)
_CHILD = Path(child.__file__)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TAIL_BYTES = 500
_LONGEST_PAUSE = 30.0


class WorkerFailed(Unavailable):
    """The worker took too long or ended; it is being started again."""


class ModelFailed(FieldhouseError):
    """The model's own code raised an error on these rows; the worker goes on."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker runs: its files by name, which of them is the model, and its interpreter.

    `kind` is "python" (a module with `predict`, and `load` perhaps) or "pickle".
    """

    name: str
    kind: str
    file: str
    files: Mapping[str, bytes] = field(repr=False)
    outputs: tuple[tuple[str, int], ...]
    method: str = ""
    python: str = sys.executable


class Worker:
    """One model in one process. `ask` is safe from any thread; calls take turns."""

    def __init__(self, spec: WorkerSpec, policy: WorkerPolicy) -> None:
        """Start and load; raises `Corrupt` when the model does not load, `WorkerFailed`."""
        self._spec = spec
        self._policy = policy
        self._turn = threading.Lock()
        self._closed = False
        self._failures = 0
        self._folder = Path(tempfile.mkdtemp(prefix="fh-worker-"))
        self._process: _Process | None = None
        try:
            for name, data in spec.files.items():
                (self._folder / name).write_bytes(data)
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    @property
    def pid(self) -> int | None:
        """The process now answering, None while there is none."""
        process = self._process
        return process.popen.pid if process is not None else None

    def ask(self, rows: NDArray[np.float64]) -> dict[str, Array]:
        """The model's outputs for `rows`, float64 [n, width].

        Raises `WorkerFailed` when it takes longer than the policy allows (waiting for a turn
        counts) or dies, `ModelFailed` when the model's code raises.
        """
        deadline = monotonic() + self._policy.seconds
        if not self._turn.acquire(timeout=self._policy.seconds):
            raise self._late("other requests took all of the time")
        try:
            process = self._process
            if process is None:
                raise WorkerFailed(
                    f"the worker of {self._spec.name} is being started again", retry_after_seconds=1
                )
            shape = child.SHAPE.pack(*rows.shape)
            try:
                kind, body = process.call(child.ROWS, shape, rows.tobytes(), deadline=deadline)
            except TimeoutError:
                self._replace(process)
                raise self._late("it was killed, and is being started again") from None
            except (OSError, Corrupt) as error:
                told = self._replace(process)
                raise WorkerFailed(
                    f"the worker of {self._spec.name} ended on this request",
                    f"{error}; {told}",
                    "it is being started again",
                ) from error
        finally:
            self._turn.release()
        if kind == child.FAILED:
            text = body.decode(errors="replace")
            raise ModelFailed(f"the model {self._spec.name} failed on these rows", text)
        self._failures = 0
        return unpack_tensors(body)

    def _late(self, found: str) -> WorkerFailed:
        seconds = self._policy.seconds
        return WorkerFailed(
            f"the worker of {self._spec.name} did not answer within {seconds:g} s", found
        )

    def close(self) -> None:
        """End the process and take its folder away."""
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> "_Process":
        process = _Process(self._spec.python, self._folder)
        spec = {
            "kind": self._spec.kind,
            "file": str(self._folder / self._spec.file),
            "method": self._spec.method,
            "outputs": [{"name": name, "width": width} for name, width in self._spec.outputs],
            "memory_bytes": self._policy.memory_bytes,
        }
        deadline = monotonic() + self._policy.start_seconds
        try:
            kind, body = process.call(child.LOAD, json.dumps(spec).encode(), deadline=deadline)
        except TimeoutError:
            process.kill()
            seconds = self._policy.start_seconds
            raise WorkerFailed(
                f"the worker of {self._spec.name} did not start within {seconds:g} s"
            ) from None
        except (OSError, Corrupt) as error:
            raise Corrupt(
                f"the worker of {self._spec.name} does not start", process.kill()
            ) from error
        if kind != child.READY:
            process.kill()
            text = body.decode(errors="replace")
            raise Corrupt(f"the model {self._spec.name} does not load in its worker", text)
        return process

    def _replace(self, process: "_Process") -> str:
        """Kill now, start again in the background: the next requests are told at once."""
        self._process = None
        told = process.kill()
        self._failures += 1
        threading.Thread(target=self._start_again, name="worker-restart", daemon=True).start()
        return told

    def _start_again(self) -> None:
        pause = min(_LONGEST_PAUSE, 0.0 if self._failures == 1 else 0.5 * 2**self._failures)
        logger.warning(
            f"the worker of {self._spec.name} is started again",
            extra={"action": "worker:restart", "failures": self._failures},
        )
        waited = threading.Event()
        while not self._closed:
            waited.wait(pause)
            try:
                started = self._start()
            except FieldhouseError as error:
                logger.error(str(error), extra={"action": "worker:failed"})
                pause = min(_LONGEST_PAUSE, max(1.0, 2 * pause))
                continue
            self._process = started
            break
        if self._closed and self._process is not None:
            self.close()


class _Process:
    """The child process and its pipes."""

    def __init__(self, python: str, folder: Path) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill
        try:
            self.popen = subprocess.Popen(
                [python, "-I", "-B", "-X", "utf8", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=bare_environment(folder),
                cwd=folder,
                close_fds=True,
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise Invalid(f"cannot start {python} for a worker", str(error)) from error
        assert self.popen.stdin is not None and self.popen.stdout is not None
        self._in, self._out = self.popen.stdin.fileno(), self.popen.stdout.fileno()
        os.set_blocking(self._in, False)

    def call(self, kind: int, *parts: bytes, deadline: float) -> tuple[int, bytes]:
        """Send one frame and read the answer. Raises TimeoutError, OSError or `Corrupt`."""
        self._send(child.HEAD.pack(sum(map(len, parts)), kind) + b"".join(parts), deadline)
        length, answered = child.HEAD.unpack(self._receive(child.HEAD.size, deadline))
        if length > child.LARGEST:
            raise Corrupt(f"the worker's answer says it has {length} bytes")
        return answered, self._receive(length, deadline)

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _wait([], [self._in], deadline)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self._in, view) :]

    def _receive(self, size: int, deadline: float) -> bytes:
        parts = []
        while size:
            _wait([self._out], [], deadline)
            part = os.read(self._out, min(size, 1 << 20))
            if not part:
                raise ConnectionError("the worker closed its pipe")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def kill(self) -> str:
        """End it and whatever it started; says how it ended, and the last that it wrote."""
        if self.popen.returncode is None:  # not waited for yet, so its number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        code = self.popen.wait()
        size = os.fstat(self._stderr.fileno()).st_size
        start = max(0, size - _TAIL_BYTES)
        text = os.pread(self._stderr.fileno(), _TAIL_BYTES, start).decode(errors="replace").strip()
        for stream in (self.popen.stdin, self.popen.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return f"exit {code}" + (f", it said: {text}" if text else "")


def _wait(readable: list[int], writable: list[int], deadline: float) -> None:
    left = deadline - monotonic()
    if left <= 0 or not any(select.select(readable, writable, [], left)[:2]):
        raise TimeoutError


def bare_environment(folder: Path) -> dict[str, str]:
    """The worker's whole environment."""
    fixed = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder)}
    return {**fixed, "TMPDIR": str(folder), **dict.fromkeys(_THREADS, "1")}


def unpack_tensors(body: bytes) -> dict[str, Array]:
    """What `child.pack_tensors` packed; raises `Corrupt`, since a worker may send anything."""
    try:
        (length,) = struct.unpack_from("<I", body)
        header: list[dict[str, Any]] = json.loads(body[4 : 4 + length])
        at = 4 + length
        found: dict[str, Array] = {}
        for entry in header:
            kind = np.dtype(entry["dtype"])
            count = int(np.prod(entry["shape"]))
            if kind.kind not in "fiub" or count < 0:
                raise ValueError(f"output {entry['name']!r} is of type {kind}")
            found[entry["name"]] = np.frombuffer(body, kind, count, at).reshape(entry["shape"])
            at += count * kind.itemsize
        return found
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise Corrupt("the worker's answer cannot be read", str(error)) from error
