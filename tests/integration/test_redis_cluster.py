"""A real Redis Cluster of three nodes: the same rows, one pipelined trip to each node."""

import asyncio
import socket
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from redis.crc import key_slot

from featureserver.keys import key_space
from featureserver.rows import pack
from featureserver.stores.opening import open_reader, open_store
from featureserver.stores.redis import connect
from registry.kernel.errors import Unavailable
from registry.testing import NOON, feature, view
from tests.feature_server import OwnRedis

NODES = 3
MINUTE = timedelta(minutes=1)
IDS = [*range(100), 0x7D, 0x7E7D, 2**62]
VIEWS = [view(f"v{i}", [feature("x", "int64")], {"id": "int64"}) for i in range(3)]


def free_ports(count):
    """Ports whose cluster bus, 10000 above, is a port too."""
    found = []
    with ExitStack() as held:
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            if probe.getsockname()[1] < 55000:
                found.append(probe.getsockname()[1])
    return found


@contextmanager
def running_cluster(*options):
    """The primaries of a cluster that is up, and what starts another node of it."""
    with tempfile.TemporaryDirectory(prefix="fh-") as place, ExitStack() as stack:

        def start(port):
            folder = Path(place) / str(port)
            folder.mkdir()
            node = OwnRedis(folder, port)
            stack.callback(node.stop)
            node.start("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", *options)
            return node

        nodes = [start(port) for port in free_ports(NODES)]
        for index, node in enumerate(nodes):
            first, last = 16384 * index // NODES, 16384 * (index + 1) // NODES
            told(node, "CLUSTER SET-CONFIG-EPOCH", index + 1)  # nodes of one epoch may undo a move
            told(node, "CLUSTER ADDSLOTS", *range(first, last))
            told(node, "CLUSTER MEET", "127.0.0.1", nodes[0].port)
        wait_until(lambda: all(told(n, "CLUSTER INFO")["cluster_state"] == "ok" for n in nodes))
        yield nodes, start


def told(node, command, *words):
    with redis.Redis(port=node.port) as client:
        return client.execute_command(command, *words)


def wait_until(holds, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster():
    with running_cluster() as (nodes, _):
        yield nodes


@pytest.fixture(scope="module")
def url(cluster):
    return f"redis+cluster://127.0.0.1:{cluster[0].port}"


@pytest.fixture(scope="module")
def store(url):
    made = open_store(url, 5.0)
    for number, one in enumerate(VIEWS):
        keys = key_space(one).keys({"id": IDS})
        rows = [pack(one.row_schema, {"x": i * 10 + number}, NOON) for i in range(len(IDS))]
        assert made.write(keys, rows) == len(IDS)
        assert made.write(keys, rows) == 0
    yield made
    made.close()


def keys_of_all():
    return [key for one in VIEWS for key in key_space(one).keys({"id": IDS})]


def commands_of(cluster, command):
    found = []
    for node in cluster:
        with connect(node.url, 5.0) as client:
            stats = client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})
            found.append(stats["calls"])
    return found


def test_all_rows_of_an_entity_are_on_one_node_whatever_bytes_its_key_has(store):
    for row in range(len(IDS)):
        assert len({key_slot(key_space(one).keys({"id": IDS})[row]) for one in VIEWS}) == 1


def test_the_loops_reader_gives_what_the_threads_store_gives(store, url, cluster):
    keys = [*keys_of_all(), b"{nobody}test/v0.1"]

    async def ask():
        reader = open_reader(url, 5.0)
        found = await reader.read(keys)
        await reader.ping()
        await reader.close()
        return found

    found = asyncio.run(ask())
    assert found == store.read(keys)
    assert found[-1] is None and None not in found[:-1]


def test_a_lookup_asks_each_node_in_one_trip(store, url, cluster):
    async def ask():
        reader = open_reader(url, 5.0)
        await reader.read(keys_of_all())
        connections = []
        for node in cluster:
            with connect(node.url, 5.0) as client:
                connections.append(sum(c["cmd"] == "mget" for c in client.client_list()))
        await reader.close()
        return connections

    assert asyncio.run(ask()) == [1] * NODES


def test_a_slot_that_moved_is_found_again(store, url, cluster):
    key = keys_of_all()[0]
    slot = key_slot(key)

    async def ask():
        reader = open_reader(url, 5.0)
        before = await reader.read([key])
        move(cluster, slot)
        after = await reader.read([key])
        await reader.close()
        return before, after

    before, after = asyncio.run(ask())
    assert before == after != [None]


def move(cluster, slot):
    """Move a slot and its keys to another node, as a resharding does."""
    clients = [redis.Redis(port=node.port) for node in cluster]
    ids = [client.execute_command("CLUSTER MYID").decode() for client in clients]
    holds = next(i for i, c in enumerate(clients) if owns(c, slot))
    target = (holds + 1) % NODES
    clients[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[holds])
    clients[holds].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
    keys = clients[holds].execute_command("CLUSTER GETKEYSINSLOT", slot, 1000)
    port = cluster[target].port
    clients[holds].execute_command("MIGRATE", "127.0.0.1", port, "", 0, 5000, "KEYS", *keys)
    for client in (clients[target], clients[holds]):
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])
    for client in clients:
        client.close()


def owns(client, slot):
    nodes = client.execute_command("CLUSTER NODES")
    text = nodes.decode() if isinstance(nodes, bytes) else str(nodes)
    if isinstance(nodes, dict):
        mine = next(one for one in nodes.values() if "myself" in one["flags"])
        return any(int(span[0]) <= slot <= int(span[-1]) for span in mine["slots"])
    mine = next(line for line in text.splitlines() if "myself" in line).split()[8:]
    spans = [span.split("-") for span in mine if not span.startswith("[")]
    return any(int(span[0]) <= slot <= int(span[-1]) for span in spans)


def test_a_generation_is_counted_and_deleted_on_every_node(store):
    extra = view("gone", [feature("x", "int64")], {"id": "int64"})
    keys = key_space(extra).keys({"id": IDS})
    store.write(keys, [pack(extra.row_schema, {"x": 1}, NOON)] * len(keys))
    assert store.count_generation("test", "gone", 1) == len(IDS)
    assert store.delete_generation("test", "gone", 1) == len(IDS)
    assert store.count_generation("test", "gone", 1) == 0
    assert store.read(keys) == [None] * len(keys)


def test_a_cluster_that_does_not_answer_is_unavailable():
    with pytest.raises(Unavailable, match="cluster"):
        open_store("redis+cluster://127.0.0.1:1", 0.2)


@pytest.mark.slow
def test_a_replica_takes_over_for_a_killed_node_without_a_restart_here():
    with running_cluster("--cluster-node-timeout", "1000") as (nodes, start):
        replica = start(free_ports(1)[0])
        told(replica, "CLUSTER MEET", "127.0.0.1", nodes[0].port)
        doomed = told(nodes[0], "CLUSTER MYID").decode()
        wait_until(lambda: knows(replica, doomed))
        told(replica, "CLUSTER REPLICATE", doomed)
        url = f"redis+cluster://127.0.0.1:{nodes[0].port}"
        store = open_store(url, 1.0)
        keys = key_space(VIEWS[0]).keys({"id": IDS})
        rows = [pack(VIEWS[0].row_schema, {"x": i}, NOON) for i in range(len(IDS))]
        store.write(keys, rows)
        wait_until(lambda: followed(replica))

        async def ask():
            reader = open_reader(url, 1.0)
            before = await reader.read(keys)
            nodes[0].stop()
            answers = [await tried(reader, keys) for _ in range(200)]
            await reader.close()
            return before, answers

        before, answers = asyncio.run(ask())
        assert before == rows
        assert all(one in (None, rows) for one in answers), "an answer that is neither"
        assert None in answers and answers[-1] == rows
        later = [pack(VIEWS[0].row_schema, {"x": -i}, NOON + MINUTE) for i in range(len(IDS))]
        assert store.write(keys, later) == len(IDS)
        assert store.read(keys) == later
        store.close()


def knows(node, other):
    return other in str(told(node, "CLUSTER NODES"))


def followed(replica):
    """The replica has all that its primary had."""
    with redis.Redis(port=replica.port) as client:
        found = client.info("replication")
        return found["role"] == "slave" and found["master_link_status"] == "up" and client.dbsize()


async def tried(reader, keys):
    """All values; None where the reader said that it cannot."""
    await asyncio.sleep(0.05)
    with suppress(Unavailable):
        return await reader.read(keys)
