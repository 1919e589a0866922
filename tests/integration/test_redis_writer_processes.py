"""Writers in processes of their own, with replays and late batches, leave the newest row."""

import multiprocessing
import random

import pytest

from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import temporary_redis
from tests.writing import keys_of, row, write_batches

ENTITIES, WRITERS, BATCHES, PER_BATCH = 40, 4, 30, 25


@pytest.fixture(scope="module")
def children():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.writing"])
    return context


@pytest.mark.parametrize("seed", range(2))
def test_whatever_order_processes_write_in_the_newest_stays(children, seed):
    draw = random.Random(seed)
    writes = [
        (draw.randrange(ENTITIES), draw.randrange(-50, 50), draw.randrange(-50, 50))
        for _ in range(BATCHES * PER_BATCH)
    ]
    shares = []
    for _ in range(WRITERS):  # each replays most of the others' rows, in an order of its own
        mine = draw.sample(writes, k=len(writes) * 3 // 4) + draw.choices(writes, k=50)
        shares.append([mine[i : i + PER_BATCH] for i in range(0, len(mine), PER_BATCH)])
    with temporary_redis() as url:
        together = children.Barrier(WRITERS)
        writers = [
            children.Process(target=write_batches, args=(url, share, together)) for share in shares
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        assert [writer.exitcode for writer in writers] == [0] * WRITERS
        newest: dict[int, tuple[int, int]] = {}
        for entity, *age in (w for share in shares for batch in share for w in batch):
            newest[entity] = max(newest.get(entity, tuple(age)), tuple(age))
        store = RedisOnlineStore(connect(url, 5.0))
        assert store.read(keys_of(newest)) == [row(*newest[entity]) for entity in newest]
        store.close()
