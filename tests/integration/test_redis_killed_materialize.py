"""A materialization killed by SIGKILL at random moments leaves, in the end, what one run leaves."""

import multiprocessing
import os
import random
import signal
from collections import Counter

import pytest

from featureserver.keys import key_space
from featureserver.rows import unpack
from featureserver.stores.redis import RedisOnlineStore, connect
from featureserver.testing import temporary_redis
from tests.materializing import materialize_until_killed, readings, rows
from tests.warehouses import put_tables

COUNT, CHUNK, MOST_KILLS = 6000, 100, 6


@pytest.fixture(scope="module")
def children():
    """Starts processes that find everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.materializing", "featureserver.bootstrap"])
    return context


def killed_after(process, log, chunks):
    """Kill the child when it has written that many chunks; False when it ended before."""
    while process.is_alive():
        if log.is_file() and len(log.read_text().splitlines()) >= chunks:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            return process.exitcode == -signal.SIGKILL
        process.join(0.001)
    return False


@pytest.mark.slow
def test_whatever_the_moments_nothing_is_lost_or_wrong_and_one_chunk_a_kill_repeated(
    children, tmp_path
):
    put_tables(tmp_path, {"readings": rows(range(COUNT))})
    draw, log, kills, aim = random.Random(), tmp_path / "chunks", 0, 0
    with temporary_redis() as url:
        for _ in range(MOST_KILLS + 1):
            arguments = (str(tmp_path), url, str(log), CHUNK)
            child = children.Process(target=materialize_until_killed, args=arguments)
            child.start()
            aim += draw.randrange(1, 15)
            if kills == MOST_KILLS or not killed_after(child, log, aim):
                child.join(60)
                break
            kills += 1
        assert child.exitcode == 0
        assert kills >= 1
        store = RedisOnlineStore(connect(url, 5.0))
        keys = key_space(readings()).keys({"id": range(COUNT)})
        schemas = {1: readings().row_schema}
        found = [unpack(schemas, raw).wire for raw in store.read(keys)]
        assert found == [{"rate": float(i), "name": f"n{i}}}"} for i in range(COUNT)]
        assert store.generations("test") == {("readings", 1): COUNT}
        store.close()
    chunks = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert sum(times - 1 for times in chunks.values()) <= kills
