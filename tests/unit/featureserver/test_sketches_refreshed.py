"""A materialization refreshes what duplicates are found by, and never fails for it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from featureserver.bootstrap import keep_sketches_in
from featureserver.materialize import Materializer
from registry.kernel.clock import FixedClock
from registry.kernel.errors import Unavailable
from registry.kernel.signing import SigningKey
from registry.service.context import Context
from registry.testing import NOON, InMemoryStore
from tests.materializing import Bench, readings, rows


def with_sketches(bench: Bench, store: InMemoryStore) -> Materializer:
    context = Context(store, FixedClock(NOON), SigningKey(bytes(32)))
    keep = keep_sketches_in(SimpleNamespace(context=context), FixedClock(NOON))
    made = bench.materializer()
    return replace(made, ledger=replace(made.ledger, sketches=keep))


def test_what_was_materialized_is_sketched_and_again_when_rows_came() -> None:
    bench, store = Bench(readings(), {"readings": rows(range(5), hours_ago=200)}), InMemoryStore()
    report = with_sketches(bench, store).run(actor="cron")
    assert report.views[0].sketch_seconds > 0
    kept = store.held.kept_sketches["test", "readings:rate@1"]
    assert sorted(kept.values[-1]) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert set(store.held.kept_sketches) == {
        ("test", "readings:rate@1"),
        ("test", "readings:name@1"),
    }
    bench.tables["readings"] = rows(range(7), hours_ago=200)
    with_sketches(bench, store).run(actor="cron", rebuild=True)
    assert len(store.held.kept_sketches["test", "readings:rate@1"].keys) == 7


def test_a_registry_that_does_not_take_sketches_stops_no_materialization(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(readings(), {"readings": rows(range(5))})
    made = bench.materializer()

    def away(engine: object, view: object) -> None:
        raise Unavailable("the registry does not answer")

    made = replace(made, ledger=replace(made.ledger, sketches=away))
    report = made.run(actor="cron")
    assert (report.views[0].written, report.views[0].failed) == (5, False)
    assert "readings was not sketched" in caplog.text
