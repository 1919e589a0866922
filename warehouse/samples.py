"""Samples of a view's newest values for comparing views with each other: the same keys for both.

Which keys are taken is decided by a hash of the key alone, so that two views over the same entities
are sampled at the same ones.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from registry.core.published import PublishedView
from registry.kernel.clock import Clock
from warehouse.engines.port import Engine


@dataclass(frozen=True, slots=True)
class NewestValues:
    """A `registry.ports.SampleReader` over an engine, as of the clock's now."""

    engine: Engine
    clock: Clock

    def __call__(self, view: PublishedView, limit: int) -> pa.Table:
        """The newest row of up to `limit` keys, the ones of the smallest hashes, in their order:
        join keys, then the view's features (Arrow types of their dtypes)."""
        newest = self.engine.latest(view, since=None, until=self.clock()).read_all()
        names = [*(key.name for key in view.join_keys), *(f.name for f in view.features)]
        hashes = key_hashes(newest.select([key.name for key in view.join_keys]))
        order = np.argsort(hashes, kind="stable")[:limit]
        return newest.select(names).take(pa.array(order))


def key_hashes(keys: pa.Table) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """One number a row, the same for a key in every view, process and version."""
    rows = zip(*(column.to_pylist() for column in keys.columns), strict=True)
    return np.fromiter((_hash(row) for row in rows), dtype=np.uint64, count=keys.num_rows)


def _hash(key: tuple[object, ...]) -> int:
    parts = (str(part) for part in key)
    text = "\0".join(f"{len(part)}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
