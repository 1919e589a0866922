"""How well one column alone tells the label: by its order, its texts, or by whether it is there.

Pure. Each is put into numbers, whose order is then held against the label's (`predictive_power`).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]

_FEWEST_ROWS = 20
_ROWS_A_TEXT = 20  # fewer, and texts tell any label by chance


def label_numbers(column: pa.ChunkedArray) -> Floats | None:
    """A label as floats, NaN where null: numbers and bools as they are, one of two texts as 0 and
    1; None for another."""
    if not _is_text(column.type):
        return numbers(column)
    encoded = _decoded(column).combine_chunks().dictionary_encode()
    return _floats_of(encoded.indices) if len(encoded.dictionary) == 2 else None


def ways_to_tell(column: pa.ChunkedArray, target: Floats) -> Iterator[tuple[str, Floats]]:
    """Each way in which a column may tell: what stands before its name in words, and floats."""
    values = numbers(column) if not _is_text(column.type) else _by_text(column, target)
    if values is not None:
        yield "", values
    if column.null_count:
        yield "the lack of ", column.is_null().cast(pa.int8()).to_numpy().astype(float)


def numbers(column: pa.ChunkedArray) -> Floats | None:
    """A numeric or bool column as floats, NaN where null; None for another type."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    if not any(test(column.type) for test in numeric):
        return None
    floats: Floats = column.cast(pa.float64(), safe=False).to_numpy()
    return floats


def predictive_power(values: Floats, target: Floats) -> float | None:
    """How well the order of `values` tells `target`: AUC (of either sign) for a label of two
    values, else the size of the rank correlation. None where there is too little to tell."""
    known = ~(np.isnan(values) | np.isnan(target))
    values, target = values[known], target[known]
    classes = np.unique(target)
    if len(values) < _FEWEST_ROWS or len(classes) < 2 or np.all(values == values[0]):
        return None
    ranked = ranks(values)
    if len(classes) > 2:
        return float(abs(np.corrcoef(ranked, ranks(target))[0, 1]))
    positive = target == classes[1]
    count, others = int(positive.sum()), int((~positive).sum())
    auc = (ranked[positive].sum() - count * (count + 1) / 2) / (count * others)
    return float(max(auc, 1 - auc))


def ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Floats = ends - (counts - 1) / 2
    shared: Floats = mean[inverse]
    return shared


def _by_text(column: pa.ChunkedArray, target: Floats) -> Floats | None:
    """Each text as the mean label of its rows; None for many texts."""
    encoded = _decoded(column).combine_chunks().dictionary_encode()
    codes = _floats_of(encoded.indices)
    known = ~(np.isnan(codes) | np.isnan(target))
    count = len(encoded.dictionary)
    if not count or count * _ROWS_A_TEXT > known.sum():
        return None
    at = codes[known].astype(np.int64)
    sums = np.bincount(at, weights=target[known], minlength=count)
    means = sums / np.maximum(np.bincount(at, minlength=count), 1)
    told = np.full(len(codes), np.nan)
    told[known] = means[at]
    return told


def _floats_of(indices: pa.Array) -> Floats:
    floats: Floats = pc.cast(indices, pa.float64()).to_numpy(zero_copy_only=False)
    return floats


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    arrow = column.type
    return column.cast(arrow.value_type) if pa.types.is_dictionary(arrow) else column


def _is_text(arrow: pa.DataType) -> bool:
    if pa.types.is_dictionary(arrow):
        return _is_text(arrow.value_type)
    return bool(pa.types.is_string(arrow) or pa.types.is_large_string(arrow))
