"""What the gate is given to judge by: held-out rows with labels, and an offline sample. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.canonical import digest
from registry.kernel.errors import Invalid
from serving.signature import Signature

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Heldout:
    """Rows that training never saw.

    `rows` float64 [n, width] in the signature's column order, `labels` [n] (0 and 1, classes
    from 0, or numbers, by the task), `baseline`
    [n] a score to beat while there is no incumbent. `name` says where they are from. `slices` are
    columns of text [n] by name, by whose values the rows are judged apart. `incumbent_rows` are
    the same rows as an incumbent reads them whose columns are others.
    """

    rows: Floats
    labels: NDArray[Any]
    baseline: Floats | None = None
    name: str = ""
    slices: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    incumbent_rows: Floats | None = None

    @property
    def positives(self) -> NDArray[np.bool_]:
        return np.asarray(self.labels).astype(bool)

    @property
    def digest(self) -> str:
        """The digest of rows, labels, baseline and slices, for the report."""
        arrays = digest_arrays(self.rows, np.asarray(self.labels, np.float64), self.baseline)
        cells = {name: [str(cell) for cell in self.slices[name]] for name in sorted(self.slices)}
        return digest([arrays, cells]) if cells else arrays

    def rows_for(self, signature: Signature, candidate: Signature) -> Floats:
        """The rows as an incumbent reads them. Raises `Invalid` when they were not given."""
        names = [tensor.name for tensor in signature.columns]
        if names == [tensor.name for tensor in candidate.columns]:
            return self.rows
        if self.incumbent_rows is None or self.incumbent_rows.shape[1] != signature.width:
            raise Invalid(
                "the incumbent reads other columns than the candidate",
                ", ".join(names),
                "give held-out rows with incumbent_rows",
            )
        return self.incumbent_rows

    def check(self, width: int) -> None:
        """Raises `Invalid` unless the arrays fit each other and the model."""
        if self.rows.ndim != 2 or self.rows.shape[1] != width:
            raise Invalid(
                f"held-out rows are {list(self.rows.shape)}", f"the model reads {width} columns"
            )
        sizes = {len(self.rows), len(self.labels)}
        if self.baseline is not None:
            sizes.add(len(self.baseline))
        if self.incumbent_rows is not None:
            sizes.add(len(self.incumbent_rows))
        sizes |= {len(cells) for cells in self.slices.values()}
        if len(sizes) != 1:
            raise Invalid("held-out rows, labels, baseline and slices differ in length")


@dataclass(frozen=True)
class OfflineSample:
    """Entities, and what the offline side gives for their features at the lookup's instant.

    `keys` are lists of n by lookup key; `values` float64 [n, k] in the signature's order of
    looked-up features, NaN where nothing is known.
    """

    keys: Mapping[str, Sequence[Any]]
    values: Floats


@dataclass(frozen=True)
class Evidence:
    """All that one gate run is given. What is None makes its check fail as not run."""

    heldout: Heldout | None = None
    sample: OfflineSample | None = None


def digest_arrays(*arrays: Floats | None) -> str:
    """`sha256:` over shapes and little-endian bytes, in order."""
    hasher = sha256()
    for array in arrays:
        if array is not None:
            hasher.update(f"{array.shape}".encode())
            hasher.update(np.ascontiguousarray(array, "<f8").tobytes())
    return f"sha256:{hasher.hexdigest()}"
