"""The port of three methods behind which every model format stands. No format is named here."""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, Invalid
from serving.signature import Output
from serving.signing import TrustedKeys
from serving.store import Bundle
from serving.tensors import DTYPES, Array
from serving.worker.policy import WorkerPolicy


@dataclass(frozen=True, slots=True)
class RuntimePolicy:
    """What this server allows and grants, never what a bundle asks for.

    In a process of our own (`own_process`) model libraries are imported without the data frames
    that they would import for their users; in somebody's application they are left alone. `trusted`
    are the keys whose waivers count. `workers` is what isolated models run with.
    """

    threads: int = 1
    skops_types: tuple[str, ...] = ()
    own_process: bool = False
    trusted: TrustedKeys = frozenset()
    workers: WorkerPolicy = field(default_factory=WorkerPolicy)


class Runtime(Protocol):
    """One loaded model."""

    def load(self, bundle: Bundle, policy: RuntimePolicy) -> None:
        """Called once, before the model is offered to anybody, with a bundle that was verified.

        Raises `Corrupt` (not a model of this format), `Refused` (the policy forbids it) or
        `Invalid` (the model does not have the signature's outputs).
        """
        ...

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        """Called for every request, from any thread. `rows` is float64 [n, width], C order, NaN
        where missing; gives each output of the signature as [n] or [n, w]. Must not keep `rows`.
        """
        ...

    def unload(self) -> None:
        """Called once, when no request can reach the model any more. Gives its memory back."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A model format: the file names it goes by, the bytes it starts with, and its runtime.

    `isolated` models answer from a process of their own: their callers wait, and must not wait on
    an event loop.
    """

    suffixes: tuple[str, ...]
    starts_with: tuple[bytes, ...]
    runtime: type[Runtime]
    package: str
    isolated: bool = False


def import_library(name: str, policy: RuntimePolicy) -> Any:
    """Import a model library. XGBoost without pandas and scikit-learn is a third of the memory."""
    if not policy.own_process or name in sys.modules:
        return import_module(name)
    with _hidden("pandas", "sklearn"):
        return import_module(name)


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: ImportError
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def check_start(format_name: str, known: Format, model: bytes) -> None:
    """Raises `Corrupt` when the first bytes are of something else, a pickle in disguise say.

    Native parsers may crash on foreign bytes, so they are not shown any.
    """
    if not model.startswith(known.starts_with):
        kind = "a pickle" if model[:1] == b"\x80" else f"something that starts {model[:8]!r}"
        raise Corrupt(f"the model file is no {format_name} model", f"it is {kind}")


def shaped(output: Output, values: Array, rows: int) -> Array:
    """`values` in the output's datatype, [rows] or [rows, w] as the signature says.

    Raises `Invalid` when the model gave another number of them, or numbers that an integer
    datatype cannot hold: numpy would wrap them around without a word.
    """
    shape = (rows, *output.shape[1:])
    dtype = DTYPES[output.datatype]
    whole = dtype.kind in "iu"
    found = _integers(output, values, dtype) if whole else np.asarray(values, dtype)
    if found.size != math.prod(shape):
        raise Invalid(
            f"the model gave outputs of shape {list(found.shape)} for {rows} rows",
            f"{output.name!r} is declared {list(output.shape)}",
        )
    return found.reshape(shape)


def _integers(output: Output, values: Array, dtype: np.dtype[Any]) -> Array:
    given = np.asarray(values)
    with np.errstate(invalid="ignore"):
        found = given.astype(dtype)
    lost = found != given
    if lost.any():
        raise Invalid(
            f"the model gave {int(lost.sum())} values that {output.datatype} cannot hold",
            f"the first is {given[lost].flat[0]}, for output {output.name!r}",
        )
    return found
