"""One feature from its first version to the last key of it: SQL registry, DuckDB, a real Redis."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featureserver.bootstrap import open_lookup, open_materializer
from featureserver.testing import temporary_redis_store
from registry.bootstrap import open_registry
from registry.kernel.errors import Gone
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.check import CheckFailed
from registry.service.propose import approve, propose
from registry.service.runtime import retire_version
from registry.testing import NOON
from tests.definitions import compiled, feature, service, sql_source, view

ADA = Principal("ada", frozenset({"author", "steward", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
MEAN = """
SELECT carrier, left_at AS event_timestamp, avg(delay) AS mean_delay, max(delay) AS worst_delay
FROM flights GROUP BY carrier, left_at
"""
AVERAGE = sql_source(MEAN)
MEDIAN = sql_source(MEAN.replace("avg(delay)", "median(delay)"))
PINNED, MOVED = service("delays:mean_delay"), service("delays:mean_delay@2")
FIRST = compiled(view(source=AVERAGE), services=(PINNED,))
SECOND_VIEW = view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN)
SECOND = compiled(SECOND_VIEW, services=(PINNED,))


DEPRECATED = feature(
    "worst_delay",
    state="deprecated",
    sunset=NOON - timedelta(hours=1),
    replaced_by="delays:mean_delay",
    reason="nobody needs the worst",
)
FAREWELL = compiled(view(feature("mean_delay"), DEPRECATED, source=AVERAGE), services=(PINNED,))


class World:
    """A project with a registry, a warehouse and an online store."""

    def __init__(self, root, store):
        table = {
            "project": {"namespace": "flights"},
            "clock": {"instant": "2013-10-01T12:00:00Z"},
            "online": {"refresh_seconds": 0.0, "switch_grace_seconds": 0.0},
        }
        self.settings = Settings(root, None, table, {})
        self.registry, self.store = open_registry(self.settings), store
        self.lookup = open_lookup(self.settings, self.registry, store)

    def fly(self, part, delays, minutes_ago):
        """Flights of UA and AA that leave with these delays."""
        folder = self.settings.root / "warehouse_data" / "flights"
        folder.mkdir(parents=True, exist_ok=True)
        at = pa.array([NOON - timedelta(minutes=minutes_ago)] * len(delays), _INSTANT)
        for carrier in ("UA", "AA"):
            table = pa.table({"carrier": [carrier] * len(delays), "left_at": at, "delay": delays})
            pq.write_table(table, folder / f"{part}-{carrier}.parquet")

    def land(self, made):
        digest = propose(self.registry.context, made, ADA).proposal.digest
        approve(self.registry.context, digest, BOB)
        apply(self.registry.context, digest, made, ADA)

    def materialize(self, **how):
        made = open_materializer(self.settings, self.registry, client=self.store)
        report = made.run(actor="ada", **how)
        assert not report.failed
        return report

    def answers(self, asked):
        (column,) = self.lookup.get(asked, {"carrier": ["UA", "AA"]}).columns
        return column.values

    def keys(self):
        return self.store.generations("flights")


_INSTANT = pa.timestamp("us", tz="UTC")


@pytest.fixture
def world(tmp_path):
    with temporary_redis_store() as store:
        made = World(tmp_path, store)
        yield made
        made.lookup.close()
        made.registry.database.close()


def test_a_changed_meaning_lives_beside_the_old_one_until_the_last_key_of_it_is_gone(world):
    world.fly("morning", [1.0, 2.0, 9.0], minutes_ago=90)
    world.land(FIRST)
    world.materialize()
    assert world.answers("late") == [4.0, 4.0]

    with pytest.raises(CheckFailed, match="meaning-without-version"):
        propose(world.registry.context, compiled(view(source=MEDIAN), services=(PINNED,)), ADA)
    world.land(SECOND)  # the code of version 1 is gone from here on
    assert world.answers("late") == [4.0, 4.0]
    assert world.answers(["delays:mean_delay@2"]) == [None, None]

    world.fly("noon", [3.0, 4.0, 20.0], minutes_ago=30)
    report = world.materialize()
    assert {v.view: v.switched for v in report.views} == {"delays": False, "delays@2": True}
    assert world.answers("late") == [9.0, 9.0]  # new rows of the old meaning
    assert world.answers(["delays:mean_delay@2"]) == [4.0, 4.0]
    assert world.keys() == {("delays", 1): 2, ("delays@2", 1): 2}

    world.land(compiled(SECOND_VIEW, services=(MOVED,)))
    assert world.answers("late") == [4.0, 4.0]
    retire_version(world.registry.context, "flights", "delays:mean_delay@1", BOB, "all moved")
    with pytest.raises(Gone, match="retired"):
        world.answers(["delays:mean_delay@1"])

    report = world.materialize()
    assert [(p.view, p.deleted, p.left) for p in report.purged] == [("delays", 2, 0)]
    assert world.keys() == {("delays@2", 1): 2}
    assert world.answers("late") == [4.0, 4.0]
    made = open_materializer(world.settings, world.registry, client=world.store)
    assert made.purge() == ()


def test_a_retired_feature_leaves_the_rows_while_the_others_go_on_being_served(world):
    world.fly("morning", [1.0, 2.0, 9.0], minutes_ago=90)
    world.land(FIRST)
    world.materialize()
    world.land(FAREWELL)
    world.land(compiled(view(feature("mean_delay"), source=AVERAGE), services=(PINNED,)))
    assert world.answers("late") == [4.0, 4.0]  # from the rows of before
    with pytest.raises(Gone, match="retired"):
        world.answers(["delays:worst_delay"])
    report = world.materialize()
    assert [(v.generation, v.switched) for v in report.views] == [(2, True)]
    assert [(p.generation, p.deleted, p.left) for p in report.purged] == [(1, 2, 0)]
    assert world.keys() == {("delays", 2): 2}
    assert world.answers("late") == [4.0, 4.0]
    (line,) = world.registry.published().views.values()
    assert [name for name, _ in line.row_schema.columns] == ["mean_delay"]


def test_a_feature_that_comes_back_is_never_read_from_its_old_rows(world):
    world.fly("morning", [1.0, 2.0, 9.0], minutes_ago=90)
    world.land(FIRST)
    world.materialize()
    world.land(FAREWELL)
    world.land(compiled(view(feature("mean_delay"), source=AVERAGE), services=(PINNED,)))
    least = sql_source(MEAN.replace("max(delay)", "min(delay)"))
    back = view(feature("mean_delay"), feature("worst_delay", version=2), source=least)
    world.land(compiled(back, services=(PINNED,)))
    assert world.answers(["delays:worst_delay"]) == [None, None]
    assert world.answers("late") == [4.0, 4.0]
    world.materialize()
    assert world.answers(["delays:worst_delay"]) == [1.0, 1.0]
    assert set(world.keys()) == {("delays@2", 1)}
