"""What is served is what the warehouse says, while rows are written and Redis is being killed.

Each round adds newer rows and materializes them in a process of its own, again when it fails.
Redis is killed at random moments and comes back empty. Whatever the server of two workers answers
over HTTP must be the warehouse's value as of the event time that it tells, and in the end the
newest of all.
"""

import asyncio
import json
import multiprocessing
import random
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from bench.load import connect as connect_http
from bench.load import request
from registry.testing import NOON, published
from tests.feature_server import own_redis, served, write_project
from tests.materializing import materialize_until_killed, readings, rows
from tests.warehouses import put_tables

COUNT, CHUNK, ROUNDS, KILLS = 4000, 100, 5, 2


def rate(entity: int, number: int) -> float:
    """The warehouse's value of that round."""
    return entity + number / 4


def hours_ago(number: int) -> float:
    """Within the hour that rows may come late: the clock stands still while rounds are added."""
    return (ROUNDS - number) / 10


def put_round(folder: Path, number: int) -> None:
    """All rows of the rounds up to that one, the newest last."""
    parts = [rows(range(COUNT), hours_ago(n), n / 4) for n in range(number + 1)]
    put_tables(folder, {"readings": pa.concat_tables(parts)}, row_group_size=1000)


class Disorder(threading.Thread):
    """Kills Redis now and then and starts it again, empty."""

    def __init__(self, redis) -> None:
        super().__init__()
        self.redis, self.ended, self.kills = redis, threading.Event(), 0

    def run(self) -> None:
        draw = random.Random()
        while not self.ended.wait(draw.uniform(0.5, 2.5)):
            self.redis.stop()
            self.kills += 1
            time.sleep(draw.uniform(0.0, 0.3))
            self.redis.start()


class Rounds(threading.Thread):
    """Adds rounds of rows, and materializes each until a run of it has ended well."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__()
        self.folder, self.url, self.failed = folder, url, 0
        self.children = multiprocessing.get_context("forkserver")
        self.children.set_forkserver_preload(["tests.materializing", "featureserver.bootstrap"])

    def run(self) -> None:
        for number in range(ROUNDS):
            put_round(self.folder, number)
            while not self.materialized():
                self.failed += 1

    def materialized(self) -> bool:
        words = (str(self.folder), self.url, str(self.folder / "chunks"), CHUNK)
        child = self.children.Process(target=materialize_until_killed, args=words)
        child.start()
        child.join(120)
        return child.exitcode == 0


async def look_up(address: str, working) -> list[tuple[int, list[int], bytes]]:
    """(status, entities, body) of lookups of random entities for as long as `working` says."""
    found, draw, link = [], random.Random(), None
    while working():
        ids = draw.sample(range(COUNT), 20)
        body = {"feature_service": "all", "entities": {"id": ids}}
        whole = request(address, "/get-online-features", json.dumps(body).encode())
        link = link or await connect_http(address)
        found.append((await link.ask(whole), ids, link.body))
        await asyncio.sleep(0.002)
    if link is not None:
        link.close()
    return found


def check(ids: list[int], body: bytes) -> int:
    """Every value is the warehouse's as of its event time; how many were there."""
    _, rates, names = json.loads(body)["results"]
    present = 0
    for place, entity in enumerate(ids):
        told = [(c["values"][place], c["statuses"][place]) for c in (rates, names)]
        if told[0][1] == "NOT_FOUND":
            assert told == [(None, "NOT_FOUND")] * 2
            continue
        event = datetime.fromisoformat(rates["event_timestamps"][place])
        number = round(ROUNDS - (NOON - event).total_seconds() / 360)
        assert told == [(rate(entity, number), "PRESENT"), (f"n{entity}}}", "PRESENT")]
        present += 1
    return present


@pytest.mark.slow
def test_random_keys_have_the_warehouses_values_whatever_is_killed(tmp_path):
    state = published(readings(), services={"all": ["readings:rate", "readings:name"]})
    with tempfile.TemporaryDirectory(prefix="fh-") as place, own_redis(Path(place)) as redis:
        write_project(tmp_path, state, redis.url, timeout=0.5)
        with served(tmp_path, 2) as server:
            work, disorder = Rounds(tmp_path, redis.url), Disorder(redis)
            work.start()
            disorder.start()
            answers = asyncio.run(
                look_up(server.address, lambda: work.is_alive() or disorder.kills < KILLS)
            )
            disorder.ended.set()
            disorder.join()
            for _ in ("what was interrupted", "what came since"):
                while not work.materialized():
                    time.sleep(0.1)
            ids = random.Random().sample(range(COUNT), 1000)
            last = server.look_up({"feature_service": "all", "entities": {"id": ids}})
    assert {status for status, _, _ in answers} <= {200, 503}
    sound = [(ids, body) for status, ids, body in answers if status == 200]
    assert sum(check(ids, body) for ids, body in sound) > 1000
    assert last.status_code == 200 and check(ids, last.content) == 1000
    assert last.json()["results"][1]["values"] == [rate(i, ROUNDS - 1) for i in ids]
