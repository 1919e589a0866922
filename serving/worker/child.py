"""The worker's side: stands alone, since another Python than the server's may run it.

Nothing of Fieldhouse is imported here, and nothing beyond the standard library and numpy. Frames on
the two pipes are a little-endian header, length and kind, and that many bytes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import struct
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Predict = Callable[[Any], dict[str, Any]]

HEAD = struct.Struct("<IB")
SHAPE = struct.Struct("<II")
LOAD, READY, ROWS, ANSWER, FAILED = range(1, 6)
LARGEST = 256 << 20
_LARGEST_FILE = 64 << 20
_OPEN_FILES = 256


def write_frame(descriptor: int, kind: int, *parts: bytes) -> None:
    """Write one frame whole; raises OSError."""
    head = HEAD.pack(sum(len(part) for part in parts), kind)
    for part in (head, *parts):
        view = memoryview(part)
        while len(view):
            view = view[os.write(descriptor, view) :]


def pack_tensors(tensors: dict[str, Any]) -> bytes:
    """Arrays by name as bytes: the length of a JSON header, the header, the arrays' own bytes."""
    import numpy as np

    header, tail = [], []
    for name, values in tensors.items():
        array = np.ascontiguousarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"output {name!r} is of type {array.dtype}, not numbers")
        array = array.astype(array.dtype.newbyteorder("<"))
        header.append({"name": name, "dtype": array.dtype.str, "shape": list(array.shape)})
        tail.append(array.tobytes())
    text = json.dumps(header).encode()
    return b"".join([struct.pack("<I", len(text)), text, *tail])


def main() -> None:
    """Read frames from stdin, answer on what was stdout; prints go to stderr."""
    out = os.dup(1)
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    model: Predict | None = None
    while True:
        frame = _read_frame(0)
        if frame is None:
            return
        kind, body = frame
        try:
            if kind == LOAD:
                model = _load(json.loads(body))
                write_frame(out, READY)
            elif model is not None:
                write_frame(out, ANSWER, pack_tensors(model(_rows(body))))
        except BaseException as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name} line {last.lineno}"
            text = f"{type(error).__name__}: {error} ({where})"
            write_frame(out, FAILED, text[:2000].encode(errors="replace"))


def _read_frame(descriptor: int) -> tuple[int, bytes] | None:
    head = _read_exactly(descriptor, HEAD.size)
    if head is None:
        return None
    length, kind = HEAD.unpack(head)
    body = _read_exactly(descriptor, length)
    return None if body is None else (kind, body)


def _read_exactly(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _rows(body: bytes) -> Any:
    import numpy as np

    count, width = SHAPE.unpack_from(body)
    return np.frombuffer(body, "<f8", offset=SHAPE.size).reshape(count, width)


def _load(spec: dict[str, Any]) -> Predict:
    _limit(spec["memory_bytes"])
    if spec["kind"] == "pickle":
        return _load_pickle(spec)
    module = _import(spec["file"])
    predict, load = module.predict, getattr(module, "load", None)
    model = load(str(Path(spec["file"]).parent)) if load is not None else None
    outputs = spec["outputs"]
    return lambda rows: _named(predict(model, rows), outputs)


def _limit(memory_bytes: int) -> None:
    import resource

    wanted = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: _LARGEST_FILE}
    wanted[resource.RLIMIT_NOFILE] = _OPEN_FILES
    if memory_bytes:
        wanted[resource.RLIMIT_AS] = memory_bytes
    for kind, most in wanted.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS


def _import(file: str) -> Any:
    name = "fieldhouse_model"
    found: Any = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def _load_pickle(spec: dict[str, Any]) -> Predict:
    import pickle

    with Path(spec["file"]).open("rb") as file:
        model = pickle.load(file)
    method = spec["method"] or ("predict_proba" if hasattr(model, "predict_proba") else "predict")
    predict = model if not hasattr(model, method) and callable(model) else getattr(model, method)
    outputs = spec["outputs"]
    return lambda rows: _named(_second_class(predict(rows), outputs), outputs)


def _second_class(scores: Any, outputs: list[dict[str, Any]]) -> Any:
    """Where one value a row is promised, a two-class probability is the second class's."""
    flat = len(outputs) == 1 and outputs[0]["width"] == 1
    return scores[:, 1] if flat and getattr(scores, "shape", (0,))[1:] == (2,) else scores


def _named(answer: Any, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    if isinstance(answer, dict):
        return answer
    return {outputs[0]["name"]: answer}


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    main()
