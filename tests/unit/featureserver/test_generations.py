"""What a run writes, carries on, switches to and deletes: warehouse and store in memory."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from featureserver import fill
from featureserver.asked import Policy
from featureserver.keys import key_space
from featureserver.materialize import check_failed
from featureserver.rows import pack, unpack
from featureserver.stores.memory import InMemoryOnlineStore
from featureserver.testing import lookup_over
from registry.core.definitions import Expectation, Source
from registry.core.published import RowSchema
from registry.kernel.errors import Misuse, Refused
from registry.testing import NOON, feature
from tests.materializing import Bench, Death, DyingStore, readings, rows

HOUR = timedelta(hours=1)
PUSHED = Source("p", "push")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(fill, "ROWS_PER_WRITE", 10)


def stored(bench, generation=1, schema=None):
    """Rate by id of one generation."""
    view = bench.live
    schemas = {s.version: s for s in (schema or view.row_schemas)}
    found = {}
    for keys in bench.store.keys_of(view.namespace, view.key, generation):
        for raw in bench.store.read(keys):
            wire = unpack(schemas, raw).wire
            found[int(wire["rate"]) % 1000] = wire["rate"]
    return found


def test_a_view_of_older_keys_is_read_until_a_rebuild_gives_it_the_newest():
    bench = Bench(readings(key_format=1), {"readings": rows(range(300, 320))})
    lookup, asked = lookup_over(bench.registry.published(), bench.store), {"id": [300, 319, 320]}
    bench.materializer().run()
    assert lookup.get(["readings:rate"], asked).columns[0].values == [300.0, 319.0, None]
    bench.materializer().run(rebuild=True)
    assert (bench.live.generation, bench.live.key_format) == (2, 2)
    rebuilt = lookup_over(bench.registry.published(), bench.store)
    assert rebuilt.get(["readings:rate"], asked).columns[0].values == [300.0, 319.0, None]
    assert bench.store.generations("test") == {("readings", 2): 20}


def whole(count=55, rate=0.0):
    return {i: i + rate for i in range(count)}


def test_a_run_fills_notes_and_marks(tmp_path):
    bench = Bench(readings(), {"readings": rows(range(55))}, home=tmp_path)
    report = bench.materializer().run(actor="ada")
    (done,) = report.views
    assert (done.rows, done.written, done.generation, done.switched) == (55, 55, 1, False)
    assert (done.compared, done.differing) == (110, 0)
    assert stored(bench) == whole()
    assert bench.registry.watermarks.read("readings", 1).until == NOON


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("writes", range(6))
def test_a_run_that_died_at_any_chunk_is_carried_on_and_repeats_at_most_one(writes, after):
    bench = Bench(readings(), {"readings": rows(range(55))})
    dying = DyingStore(bench.store, writes, after)
    with pytest.raises(Death):
        bench.materializer(dying).run(actor="ada")
    again = DyingStore(bench.store, 100, after)
    (done,) = bench.materializer(again).run(actor="ada").views
    assert stored(bench) == whole()
    assert len(set(dying.chunks) & set(again.chunks)) <= 1
    assert done.resumed == (writes > 0)
    assert bench.registry.watermarks.read("readings", 1).until == NOON


def test_what_a_killed_run_left_is_finished_before_newer_rows_are_read():
    bench = Bench(readings(), {"readings": rows(range(55))})
    with pytest.raises(Death):
        bench.materializer(DyingStore(bench.store, 2, True)).run(until=NOON - HOUR / 2)
    bench.tables["readings"] = pa.concat_tables(
        [rows(range(55)), rows([3], hours_ago=0.1, rate=1000.0)]
    )
    (done,) = bench.materializer().run().views
    assert stored(bench) == whole() | {3: 1003.0}
    assert (done.resumed, done.differing) == (True, 0)


def test_a_key_that_left_the_warehouse_makes_the_run_begin_again():
    bench = Bench(readings(), {"readings": rows(range(55))})
    with pytest.raises(Death):
        bench.materializer(DyingStore(bench.store, 2, True)).run()
    bench.tables["readings"] = rows([i for i in range(55) if i != 19])
    bench.materializer().run(parity=False)
    assert set(stored(bench)) >= set(range(55)) - {19}


def test_a_store_that_lost_its_rows_is_filled_again():
    bench = Bench(readings(), {"readings": rows(range(55))})
    bench.materializer().run()
    bench.store = InMemoryOnlineStore()
    (done,) = bench.materializer().run().views
    assert (done.rows, done.since) == (55, None)
    assert stored(bench) == whole()


def test_a_rebuild_writes_beside_switches_and_leaves_zero_old_keys():
    bench = Bench(readings(), {"readings": rows(range(55))})
    bench.materializer().run()
    report = bench.materializer().run(rebuild=True, actor="ada")
    (done,) = report.views
    assert (done.generation, done.switched, bench.live.generation) == (2, True, 2)
    assert [(p.generation, p.deleted, p.left) for p in report.purged] == [(1, 55, 0)]
    assert bench.store.generations("test") == {("readings", 2): 55}
    assert bench.materializer().run().views[0].generation == 2


def test_readers_have_the_grace_time_before_the_old_generation_goes():
    bench = Bench(readings(), {"readings": rows(range(5))}, policy=Policy(grace_seconds=7.0))
    bench.materializer().run()
    assert bench.slept == []
    bench.materializer().run(rebuild=True)
    assert 6.0 < bench.slept[0] <= 7.0


def test_a_rebuild_that_died_is_carried_on_in_the_same_generation():
    bench = Bench(readings(), {"readings": rows(range(55))})
    bench.materializer().run()
    with pytest.raises(Death):
        bench.materializer(DyingStore(bench.store, 3, True)).run(rebuild=True)
    assert bench.live.generation == 1
    (done,) = bench.materializer().run().views
    assert (done.generation, done.resumed, done.switched) == (2, True, True)
    assert stored(bench, 2) == whole()


def test_a_retirement_rebuilds_without_the_column_while_the_old_rows_serve():
    bench = Bench(readings(), {"readings": rows(range(20))})
    bench.materializer().run()
    kept = (feature("rate"),)
    schemas = (*bench.view.row_schemas, RowSchema(2, (("rate", "float64"),)))
    gone = replace(bench.live, features=kept, row_schemas=schemas, rebuild=True)
    bench.registry.state = replace(bench.registry.state, views={"readings": gone})
    (done,) = bench.materializer().run().views
    assert (done.generation, done.switched) == (2, True)
    assert not bench.live.rebuild
    assert stored(bench, 2, schema=schemas[1:]) == whole(20)  # not one row of schema 1


def test_a_rebuild_begun_in_an_older_schema_is_left_for_another():
    bench = Bench(readings(), {"readings": rows(range(30))})
    bench.materializer().run()
    with pytest.raises(Death):
        bench.materializer(DyingStore(bench.store, 1, True)).run(rebuild=True)
    schemas = (*bench.view.row_schemas, RowSchema(2, (("rate", "float64"),)))
    gone = replace(bench.live, features=(feature("rate"),), row_schemas=schemas, rebuild=True)
    bench.registry.state = replace(bench.registry.state, views={"readings": gone})
    report = bench.materializer().run()
    assert report.views[0].generation == 3
    assert bench.store.generations("test") == {("readings", 3): 30}


def test_a_new_line_is_filled_in_full_and_then_ready():
    bench = Bench(readings(line=2, ready=False), {"readings": rows(range(20))})
    (done,) = bench.materializer().run(since=NOON - HOUR / 2).views
    assert (done.rows, done.switched, bench.live.ready) == (20, True, True)
    assert bench.store.generations("test") == {("readings@2", 1): 20}


def test_a_line_that_is_no_longer_published_is_deleted_at_the_next_run():
    bench = Bench(readings(), {"readings": rows(range(20))})
    bench.materializer().run()
    second = replace(bench.view, line=2)
    bench.registry.state = replace(bench.registry.state, views={"readings@2": second})
    report = bench.materializer().run()
    assert [(p.view, p.deleted, p.left) for p in report.purged] == [("readings", 20, 0)]


def test_purge_finds_keys_that_no_journal_tells_of():
    bench = Bench(readings(generation=4), {"readings": rows(range(3))})
    orphans = key_space(bench.view.at(2)).keys({"id": [1, 2]})
    row = pack(bench.view.row_schema, {"rate": 1.0}, NOON)
    bench.store.write(orphans, [row, row])
    ahead = key_space(bench.view.at(5)).keys({"id": [1]})
    bench.store.write(ahead, [row])
    (gone,) = bench.materializer().purge()
    assert (gone.generation, gone.deleted, gone.left) == (2, 2, 0)
    assert bench.store.generations("test") == {("readings", 5): 1}
    assert "none is left" in gone.sentence


def test_a_switch_never_goes_to_values_that_differ(monkeypatch):
    bench = Bench(readings(), {"readings": rows(range(20))})
    bench.materializer().run()
    spoilt = key_space(bench.view.at(2)).keys({"id": [7]})
    late = pack(bench.view.row_schema, {"rate": -1.0}, NOON - HOUR / 4)
    bench.store.write(spoilt, [late])
    (done,) = bench.materializer().run(rebuild=True).views
    assert (done.failed, done.switched, bench.live.generation) == (True, False, 1)
    assert "rate of {'id': 7}" in done.note


def test_a_dry_run_counts_and_writes_nothing():
    bench = Bench(readings(), {"readings": rows(range(20))})
    (done,) = bench.materializer().run(dry_run=True, rebuild=True).views
    assert (done.rows, done.written, done.generation) == (20, 0, 2)
    assert bench.store.generations("test") == {}
    assert bench.store.notes("test") == {}


def test_an_explicit_span_is_carried_on_too_and_leaves_no_entry_behind():
    bench = Bench(readings(), {"readings": rows(range(55))})
    bench.materializer().run(until=NOON - HOUR * 2)
    since = NOON - HOUR * 3
    with pytest.raises(Death):
        bench.materializer(DyingStore(bench.store, 2, True)).run(since=since)
    (done,) = bench.materializer().run(since=since).views
    assert done.resumed
    assert stored(bench) == whole()
    assert list(bench.store.notes("test")) == ["readings.1"]
    assert bench.registry.watermarks.read("readings", 1).until == NOON  # it began before the end


def test_a_rebuild_of_a_span_is_refused():
    bench = Bench(readings(), {"readings": rows(range(5))})
    with pytest.raises(Misuse, match="beginning"):
        bench.materializer().run(since=NOON - HOUR, rebuild=True)


FAILING = Expectation(
    "expect_column_values_to_be_between", '{"column":"rate","max_value":9,"min_value":0}'
)


@pytest.mark.parametrize(("policy", "failed"), [("block", True), ("warn", False)])
def test_a_failed_expectation_stops_the_view_or_warns(policy, failed):
    made = readings(expectations=(FAILING,))
    bench = Bench(made, {"readings": rows(range(20))}, policy=Policy(on_failed_quality=policy))
    report = bench.materializer().run()
    assert report.views[0].failed == failed
    assert "fails, 10 values (50.00%)" in report.views[0].note
    assert len(stored(bench)) == (0 if failed else 20)
    if failed:
        with pytest.raises(Refused, match="1 of 1 views were stopped"):
            check_failed(report)


def test_what_was_found_of_the_same_content_is_not_looked_for_again(tmp_path, monkeypatch):
    made = readings(expectations=(FAILING,))
    bench = Bench(made, {"readings": rows(range(5))}, home=tmp_path)
    assert not bench.materializer().run().failed
    monkeypatch.setattr("warehouse.quality.check_file", None)  # would raise if it were called
    assert not bench.materializer().run(rebuild=True).failed
    monkeypatch.undo()
    bench.tables["readings"] = rows(range(20))
    assert bench.materializer().run().failed


def test_quarantine_takes_the_features_that_a_failed_expectation_names():
    made = readings(expectations=(FAILING,))
    policy = Policy(on_failed_quality="quarantine")
    bench = Bench(made, {"readings": rows(range(20))}, policy=policy)
    (done,) = bench.materializer().run().views
    assert done.failed
    assert bench.quarantined == ["readings:rate@1"]


@pytest.mark.parametrize("key_format", [1, 2])
def test_a_rebuild_takes_along_what_was_pushed_even_while_readers_moved(key_format):
    old = readings(source=PUSHED, key_format=key_format)
    schema = RowSchema(2, (("rate", "float64"), ("added", "int64")))
    made = replace(
        old,
        features=(feature("rate"), feature("added", "int64", default=7)),
        row_schemas=(*old.row_schemas, schema),
        rebuild=True,
    )
    bench = Bench(made, {})
    keys = key_space(made).keys({"id": [1, 2]})
    bench.store.write([keys[0]], [pack(old.row_schema, {"rate": 1.0, "name": "x"}, NOON)])
    materializer = bench.materializer()
    late = pack(old.row_schema, {"rate": 2.0}, NOON)
    slow = replace(materializer, sleep=lambda _: bench.store.write([keys[1]], [late]))
    report = slow.run()
    assert report.views[0].switched
    assert bench.store.generations("test") == {("readings", 2): 2}
    (raw, _) = bench.store.read(key_space(made.at(2)).keys({"id": [1, 2]}))
    assert unpack({2: schema}, raw).wire == {"rate": 1.0, "added": 7}
