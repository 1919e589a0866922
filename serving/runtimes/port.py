"""The port of three methods behind which every model format stands. No format is named here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt
from serving.bundle import ModelFile
from serving.signature import Output, Signature
from serving.tensors import DTYPES, Array


@dataclass(frozen=True, slots=True)
class RuntimePolicy:
    """What this server allows and grants, never what a bundle asks for."""

    threads: int = 1
    skops_types: tuple[str, ...] = ()


class Runtime(Protocol):
    """One loaded model."""

    def load(
        self, model: bytes, file: ModelFile, signature: Signature, policy: RuntimePolicy
    ) -> None:
        """Called once, before the model is offered to anybody, with bytes that were verified.

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
    """A model format: the file names it goes by, the bytes it starts with, and its runtime."""

    suffixes: tuple[str, ...]
    starts_with: tuple[bytes, ...]
    runtime: type[Runtime]
    package: str


def check_start(format_name: str, known: Format, model: bytes) -> None:
    """Raises `Corrupt` when the first bytes are of something else, a pickle in disguise say.

    Native parsers may crash on foreign bytes, so they are not shown any.
    """
    if not model.startswith(known.starts_with):
        kind = "a pickle" if model[:1] == b"\x80" else f"something that starts {model[:8]!r}"
        raise Corrupt(f"the model file is no {format_name} model", f"it is {kind}")


def shaped(output: Output, values: Array, rows: int) -> Array:
    """`values` in the output's datatype, [rows] or [rows, w] as the signature says."""
    shape = (rows, *output.shape[1:])
    return np.asarray(values, DTYPES[output.datatype]).reshape(shape)
