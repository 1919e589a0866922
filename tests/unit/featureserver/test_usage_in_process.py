"""A lookup in process writes what was used to the registry now and then, not only at its end."""

import time

from featureserver.bootstrap import open_lookup
from featureserver.stores.memory import InMemoryOnlineStore
from registry.kernel.settings import Settings
from registry.testing import InMemoryRegistry, feature, published, view

STATE = published(
    view("stats", [feature("rate")], {"id": "int64"}), services={"drivers": ["stats:rate"]}
)


def opened(tmp_path, registry, seconds):
    settings = Settings(tmp_path, None, {"features": {"usage_seconds": seconds}}, {})
    return open_lookup(settings, registry, InMemoryOnlineStore())


def requests(registry):
    return sum(one.requests for one in registry.usage.all("stats:rate@1"))


def test_use_is_written_while_the_lookup_is_open(tmp_path):
    registry = InMemoryRegistry(STATE)
    lookup = opened(tmp_path, registry, 0.02)
    lookup.get("drivers", {"id": [1]})
    deadline = time.monotonic() + 10
    while not requests(registry) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert requests(registry) == 1
    lookup.close()


def test_the_rest_is_written_at_the_close_and_nothing_twice(tmp_path):
    registry = InMemoryRegistry(STATE)
    lookup = opened(tmp_path, registry, 60.0)
    for _ in range(3):
        lookup.get("drivers", {"id": [1]})
    assert requests(registry) == 0
    lookup.close()
    assert requests(registry) == 3
