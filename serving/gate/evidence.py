"""What the gate is given to judge by: held-out rows with labels, and an offline sample. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Heldout:
    """Rows that training never saw.

    `rows` float64 [n, width] in the signature's column order, `labels` [n] of 0 and 1, `baseline`
    [n] a score to beat while there is no incumbent. `name` says where they are from.
    """

    rows: Floats
    labels: NDArray[Any]
    baseline: Floats | None = None
    name: str = ""

    @property
    def positives(self) -> NDArray[np.bool_]:
        return np.asarray(self.labels).astype(bool)

    @property
    def digest(self) -> str:
        """The digest of rows, labels and baseline, for the report."""
        return digest_arrays(self.rows, np.asarray(self.labels, np.float64), self.baseline)

    def check(self, width: int) -> None:
        """Raises `Invalid` unless the arrays fit each other and the model."""
        if self.rows.ndim != 2 or self.rows.shape[1] != width:
            raise Invalid(
                f"held-out rows are {list(self.rows.shape)}", f"the model reads {width} columns"
            )
        sizes = {len(self.rows), len(self.labels)}
        if self.baseline is not None:
            sizes.add(len(self.baseline))
        if len(sizes) != 1:
            raise Invalid("held-out rows, labels and baseline differ in length")


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
