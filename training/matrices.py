"""Numbers for learners: the feature columns of a training set as matrices, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from registry.kernel.errors import Misuse, NotFound
from training.shuffle import Order, stream

Floats = npt.NDArray[np.float32]


class Rows(Protocol):
    """What is used of a training set, or of a part of one."""

    @property
    def name(self) -> str: ...

    @property
    def data(self) -> Path: ...

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def feature_names(self) -> list[str]: ...

    @property
    def split_columns(self) -> tuple[str, ...]: ...

    def keep(self, table: pa.Table) -> pa.Table: ...


@dataclass(frozen=True, slots=True)
class Matrices:
    """The rows of a set, or of a part of one, as float32 [n, k] of `features` (NaN where null) and
    `label` [n] (int64 for whole numbers and bools without nulls, else float32)."""

    made: Rows
    features: tuple[str, ...]
    label: str | None
    order: Order

    def batches(self, order: Order | None = None) -> Iterator[tuple[Floats, Any]]:
        """(features, label or None) of some rows at a time, in this order or another one."""
        wanted = [*self.features, *([self.label] if self.label else [])]
        columns = list(dict.fromkeys((*wanted, *self.made.split_columns)))
        for table in stream(self.made.data, columns, order or self.order, self.made.keep):
            label = _label(table.column(self.label)) if self.label else None
            yield _matrix(table, self.features), label


def matrices(
    made: Rows, features: Sequence[str] | None, label: str | None, order: Order
) -> Matrices:
    """Matrices of the named features, by default all of the set's, and its label.

    Raises `NotFound` for a column that is not there, `Misuse` for one that holds no numbers.
    """
    schema = made.schema
    wanted = tuple(made.feature_names if features is None else features)
    for name in (*wanted, *([label] if label else [])):
        if name not in schema.names:
            raise NotFound(f"column of training set {made.name!r}:", name, schema.names)
    others = [f"{n} ({schema.field(n).type})" for n in wanted if not _numeric(schema.field(n).type)]
    if others:
        raise Misuse(
            "these columns hold no numbers",
            ", ".join(others),
            "name the features to use, or encode these first",
        )
    return Matrices(made, wanted, label, order)


def _matrix(table: pa.Table, names: Sequence[str]) -> Floats:
    filled = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        filled[:, place] = _floats(table.column(name))
    return filled


def _label(column: pa.ChunkedArray) -> Any:
    whole = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    if whole and not column.null_count:
        return column.cast(pa.int64()).to_numpy().copy()
    if _numeric(column.type):
        return _floats(column).astype(np.float32)
    return np.array(column.to_pylist(), dtype=object)


def _floats(column: pa.ChunkedArray) -> Any:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return column.cast(pa.float64(), safe=False).to_numpy()


def _numeric(arrow: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(test(arrow) for test in tests)
