"""From named tensors to the model's row: which columns were sent, which must be looked up. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid, nearest_names
from serving.signature import Input, Signature
from serving.tensors import Array, Values

Floats = NDArray[np.float64]


class Given(msgspec.Struct, frozen=True, eq=False):
    """What one request sent: `rows` many rows, columns by name, lookup keys as lists. `table` is
    float64 [n, width] when the whole row was sent and is put together already."""

    rows: int
    columns: Mapping[str, Array]
    keys: Mapping[str, list[Any]]
    table: Floats | None = None


class RowPlan:
    """Decided at load: where each input's columns lie, and which of them a lookup can fill."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.width = signature.width
        self._names = tuple(tensor.name for tensor in signature.columns)
        self._narrow = all(len(tensor.shape) == 1 for tensor in signature.columns)
        self._known = {t.name: (t, t.kind == "feature", len(t.shape)) for t in signature.inputs}
        self._keys = dict.fromkeys(tensor.name for tensor in signature.keys)
        self._slices: dict[str, slice] = {}
        at = 0
        for tensor in signature.columns:
            self._slices[tensor.name] = slice(at, at + tensor.width)
            at += tensor.width
        looked_up = [tensor for tensor in signature.columns if tensor.ref is not None]
        self.looked_up = tuple(tensor.name for tensor in looked_up)
        self.all_looked_up = len(looked_up) == len(signature.columns)
        self._targets = np.array([self._slices[t.name].start for t in looked_up], np.intp)

    def whole(self, inputs: Mapping[str, Any]) -> Given | None:
        """What was sent, when it is every column as an array of [n] and nothing else, which needs
        no more looking at; None otherwise."""
        if len(inputs) != self.width or not self._narrow:
            return None
        try:
            columns = [inputs[name] for name in self._names]
        except KeyError:
            return None
        shape: tuple[int, ...] = getattr(columns[0], "shape", ())
        if len(shape) != 1 or not shape[0]:
            return None
        for column in columns:
            if type(column) is not np.ndarray or column.shape != shape:
                return None
        flat = np.concatenate(columns, dtype=np.float64, casting="unsafe")
        table = np.ascontiguousarray(flat.reshape(self.width, shape[0]).T)
        return Given(shape[0], inputs, {}, table)

    def read(self, inputs: Mapping[str, Values]) -> Given:
        """Sort and check the tensors of a request; raises `Invalid` naming the wrong one."""
        columns: dict[str, Array] = {}
        keys: dict[str, list[Any]] = {}
        rows = -1
        for name, values in inputs.items():
            known = self._known.get(name)
            if known is None:
                raise self._unknown(name)
            tensor, is_column, dimensions = known
            if isinstance(values, list):  # keys that a codec has checked already
                keys[name] = values
            else:
                whole = dimensions == 1 and len(values.shape) == 1
                values = values if whole else _fit(tensor, values)
                if is_column:
                    columns[name] = values
                else:
                    keys[name] = values.tolist()
            if len(values) != rows:
                if rows != -1:
                    raise Invalid(f"input {name!r} has {len(values)} rows", f"others have {rows}")
                rows = len(values)
        if rows < 1:
            raise Invalid("the request has no rows", f"inputs are {', '.join(self._known)}")
        return Given(rows, columns, keys)

    def _unknown(self, name: str) -> Invalid:
        known = self.signature.by_name
        nearest = nearest_names(name, known)
        found = f"nearest: {', '.join(nearest)}" if nearest else ""
        return Invalid(f"the model has no input {name!r}", found, f"inputs are {', '.join(known)}")

    def missing(self, given: Given) -> tuple[str, ...]:
        """The columns that were not sent, in the model's order."""
        if not given.columns:
            return self._names
        if len(given.columns) == len(self._names):
            return ()
        return tuple(name for name in self._names if name not in given.columns)

    def check_lookup(self, given: Given, missing: tuple[str, ...]) -> None:
        """Raises `Invalid` unless a lookup can fill all that is missing with the keys sent."""
        if not self.all_looked_up:
            stuck = [name for name in missing if self.signature.by_name[name].ref is None]
            if stuck:
                raise Invalid(f"inputs {', '.join(stuck)} were not sent", f"sent: {_sent(given)}")
        if not given.keys.keys() >= self._keys.keys():
            keys = list(self._keys)
            absent = [name for name in keys if name not in given.keys]
            raise Invalid(
                f"the lookup of {len(missing)} features needs {', '.join(absent)}",
                f"sent: {_sent(given)}",
                f"send {', '.join(keys)}, or every feature",
            )

    def assemble(self, given: Given, looked_up: Floats | None) -> Floats:
        """The rows, float64 [n, width]: what was looked up, overridden by what was sent."""
        if looked_up is not None and self.all_looked_up and not given.columns:
            return np.ascontiguousarray(looked_up, np.float64)
        if given.table is not None:
            return given.table
        if len(given.columns) == len(self._names) == 1:
            (only,) = given.columns.values()
            table = np.ascontiguousarray(only.reshape(given.rows, -1), np.float64)
            # Binary tensors begin anywhere in a body, and C code wants numbers in their places.
            return table if table.flags.aligned else table.copy()
        rows = np.full((given.rows, self.width), np.nan)
        if looked_up is not None:
            rows[:, self._targets] = looked_up
        for name, values in given.columns.items():
            rows[:, self._slices[name]] = values.reshape(given.rows, -1)
        return rows


def _sent(given: Given) -> str:
    return ", ".join((*given.keys, *given.columns)) or "nothing"


def _fit(tensor: Input, values: Array) -> Array:
    """The tensor as [n] or [n, w]; a column may also come as [n, 1]."""
    shape = values.shape
    if len(tensor.shape) == 1 and len(shape) == 2 and shape[1] == 1:
        return values.reshape(-1)
    if len(shape) != len(tensor.shape) or shape[1:] != tensor.shape[1:]:
        raise Invalid(
            f"input {tensor.name!r} has shape {list(shape)}",
            f"the model takes {list(tensor.shape)}, -1 being the number of rows",
        )
    return values
