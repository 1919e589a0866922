"""Rows of a Parquet file in random order, without holding the file: shuffled across row groups.

Row groups are drawn in random order, some pooled at a time, and a pool's rows shuffled. Each row
comes once an epoch. Memory is one pool. No torch here: `training.torch_stream` hands this on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.kernel.errors import Invalid

Keep = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """In which order rows come. Equal orders give equal rows on every machine.

    `shard` of `shards` takes every so-manieth row group: each worker its own. Without `shuffle`,
    row groups and rows come as they are written.
    """

    batch_rows: int = 1024
    shuffle: bool = True
    seed: int = 0
    epoch: int = 0
    pooled_groups: int = 4
    shard: int = 0
    shards: int = 1

    def of_worker(self, worker: int, workers: int) -> "Order":
        """The order of one of `workers` that share this one's rows."""
        return replace(self, shard=self.shard * workers + worker, shards=self.shards * workers)


def stream(path: Path, columns: list[str], order: Order, keep: Keep) -> Iterator[pa.Table]:
    """Tables of `batch_rows` rows, the last one of fewer; `keep` chooses rows of a part, and gets
    all columns that `columns` names. Raises `Invalid` for an order that makes no sense."""
    if min(order.batch_rows, order.pooled_groups, order.shards) < 1:
        raise Invalid("batch_rows, pooled_groups and shards must be at least 1", f"found {order}")
    rng = np.random.default_rng([order.seed, order.epoch])
    with pq.ParquetFile(path) as file:
        groups = _groups(file.num_row_groups, order, rng)
        rest: pa.Table | None = None
        for start in range(0, len(groups), order.pooled_groups):
            pool = _pool(file, groups[start : start + order.pooled_groups], columns, keep)
            pool = pool.take(pa.array(rng.permutation(pool.num_rows))) if order.shuffle else pool
            pool = pool if rest is None else pa.concat_tables([rest, pool])
            whole = pool.num_rows // order.batch_rows * order.batch_rows
            for at in range(0, whole, order.batch_rows):
                yield pool.slice(at, order.batch_rows)
            rest = pool.slice(whole)
    if rest is not None and rest.num_rows:
        yield rest


def _groups(count: int, order: Order, rng: np.random.Generator) -> list[int]:
    """The row groups of this shard, in the order to read them; the draw is one for all shards."""
    drawn = rng.permutation(count) if order.shuffle else np.arange(count)
    mine: list[int] = drawn[order.shard :: order.shards].tolist()
    return mine


def _pool(file: pq.ParquetFile, groups: list[int], columns: list[str], keep: Keep) -> pa.Table:
    """The rows to keep of some row groups, read one after the other."""
    return pa.concat_tables([keep(file.read_row_group(group, columns)) for group in groups])
