"""Redis memory for the same rows, ours and Feast's, by the length of the view's name.

100,000 entities with 20 float64 features, as in `materialize`; what `used_memory` grew by, without
expiry and with one. FIELDHOUSE_BENCH_NAMES (s,stats) chooses the names.
"""

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import redis

from bench.materialize import DAY, NOW, entities, feast_store, materializer, write_table
from featureserver.stores.redis import connect
from featureserver.testing import temporary_redis

NAMES = "s,stats,customer_stats,customer_statistics,customer_statistics_of_the_last_ninety_days"


def run() -> dict[str, Any]:
    """Megabytes and their ratio for each name, printed as they come."""
    names = os.environ.get("FIELDHOUSE_BENCH_NAMES", NAMES).split(",")
    with tempfile.TemporaryDirectory() as folder, temporary_redis() as url:
        root = Path(folder)
        write_table(root)
        client = connect(url, 30.0)
        told = client.info()
        print(f"   redis-server {told['redis_version']}, {told['mem_allocator']}")
        return {name: memory(root, client, name) for name in names}


def memory(root: Path, client: redis.Redis, name: str) -> dict[str, float]:
    """Without expiry and with: our megabytes, Feast's, and ours over theirs."""
    facts: dict[str, float] = {}
    for kind, ttl in (("", None), ("_expiry", DAY)):
        made = materializer(root, client, entities(ttl, name), ttl or 0.0)
        ours = used(client, lambda made=made: made.run(parity=False))  # type: ignore[misc]
        with feast_store(root, client, None if ttl is None else 2 * ttl, name) as store:
            theirs = used(client, partial(store.materialize, NOW - timedelta(days=1), NOW))
        facts[f"our_mb{kind}"] = round(ours / 1e6, 1)
        facts[f"feast_mb{kind}"] = round(theirs / 1e6, 1)
        facts[f"of_feast{kind}"] = round(ours / theirs, 3)
    print(f"   {name}: {facts}", flush=True)
    return facts


def used(client: redis.Redis, work: Callable[[], object]) -> int:
    client.flushall()
    before = int(client.info("memory")["used_memory"])
    work()
    return int(client.info("memory")["used_memory"]) - before
