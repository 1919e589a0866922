"""From training sets to what packaging and the gate need: rows as numbers, offline samples."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from registry.core.published import Published
from registry.kernel.errors import NotFound
from serving.gate.evidence import Heldout, OfflineSample
from serving.signature import Signature

if TYPE_CHECKING:
    from training.dataset import TrainingSet
    from warehouse.engines.port import Engine

Floats = NDArray[np.float64]
_TIME = "__sample_time"
_KEY_TYPES = {
    "INT32": pa.int32(),
    "INT64": pa.int64(),
    "FP32": pa.float32(),
    "FP64": pa.float64(),
    "BOOL": pa.bool_(),
}


def matrix_of(table: pa.Table, columns: Sequence[str]) -> Floats:
    """Columns of numbers or booleans as float64 [n, k], null as NaN."""
    matrix = np.empty((table.num_rows, len(columns)))
    for place, name in enumerate(columns):
        cells = table.column(name).cast(pa.float64())
        matrix[:, place] = cells.to_numpy(zero_copy_only=False)
    return matrix


def column_names(training_set: "TrainingSet", signature: Signature) -> list[str]:
    """The training set's columns behind the signature's, found by reference where there is one."""
    by_ref = {plain_ref(c.ref): c.name for c in training_set.manifest.columns if c.ref}
    return [
        by_ref.get(plain_ref(tensor.ref), tensor.name) if tensor.ref else tensor.name
        for tensor in signature.columns
    ]


def plain_ref(ref: str) -> str:
    """`view:feature@version`, without the number of the view's line before the colon."""
    return re.sub(r"@\d+:", ":", ref)


def heldout_of(
    training_set: "TrainingSet",
    part: str,
    signature: Signature,
    baseline: str | None = None,
    slices: Sequence[str] = (),
    incumbent: Signature | None = None,
) -> Heldout:
    """One part of a training set as held-out rows.

    `baseline` is a column to beat, `slices` are columns by whose values the rows are judged apart,
    `incumbent` the signature of one that may read other columns of the training set.
    Raises `NotFound` for a part or a column that there is not.
    """
    chosen = training_set.split(part)
    table = chosen.to_arrow()
    label = str(training_set.label)
    for name in (*slices, *([baseline] if baseline else [])):
        if name not in table.column_names:
            raise NotFound(f"column of training set {training_set.name}", name, table.column_names)
    table = table.filter(table.column(label).is_valid())
    return Heldout(
        rows=matrix_of(table, column_names(training_set, signature)),
        labels=matrix_of(table, [label])[:, 0],
        baseline=matrix_of(table, [baseline])[:, 0] if baseline else None,
        name=f"{training_set.name}, part {part}",
        slices={name: _cells(table.column(name)) for name in slices},
        incumbent_rows=_rows_of_incumbent(training_set, table, incumbent),
    )


def _rows_of_incumbent(
    training_set: "TrainingSet", table: pa.Table, incumbent: Signature | None
) -> Floats | None:
    if incumbent is None:
        return None
    names = column_names(training_set, incumbent)
    return matrix_of(table, names) if set(names) <= set(table.column_names) else None


def _cells(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column's values as text, null as an empty one."""
    text = column.cast(pa.string()).fill_null("")
    return np.array(text.to_pylist(), dtype=str)


def sample_keys(
    training_set: "TrainingSet", signature: Signature, count: int, seed: int = 0
) -> dict[str, list[Any]]:
    """Lookup keys of up to `count` rows of a training set, drawn evenly; never with nulls."""
    table = training_set.to_arrow().select([tensor.name for tensor in signature.keys]).drop_null()
    chooser = np.random.default_rng(seed)
    chosen = chooser.choice(table.num_rows, min(count, table.num_rows), replace=False)
    drawn: dict[str, list[Any]] = table.take(pa.array(chosen)).to_pydict()
    return drawn


def offline_sample(
    keys: Mapping[str, Sequence[Any]],
    signature: Signature,
    published: Published,
    engine: "Engine",
    at: datetime,
) -> OfflineSample:
    """What the warehouse gives for the signature's features of these keys at instant `at`.

    The same join, and the same on-demand code, that training sets are made by.
    """
    from training.assemble import assemble
    from training.recipe import make_recipe
    from training.spec import TrainingSpec

    columns: dict[str, Any] = {
        tensor.name: pa.array(keys[tensor.name], _KEY_TYPES.get(tensor.datatype, pa.string()))
        for tensor in signature.keys
    }
    count = len(next(iter(columns.values())))
    columns[_TIME] = pa.array([at] * count, pa.timestamp("us", tz="UTC"))
    spine = pa.table(columns)
    spec = TrainingSpec(
        name="offline-sample",
        features=signature.refs,
        time_column=_TIME,
        full_feature_names=True,
        allow_deprecated="compared by the gate, not trained on",
    )
    recipe = make_recipe(spec, published, spine.column_names)
    table = assemble(spine, recipe, engine).table
    names = [str(feature.column) for feature in recipe.columns]
    return OfflineSample(dict(keys), matrix_of(table, names))
