"""The predictor and what it follows: lookup, overrides, log, metrics, champions."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from registry.kernel.errors import Invalid, NotFound, Unavailable
from serving.loaded import Router, load_model, routes_of
from serving.log import PredictionLog
from serving.signature import Signature
from serving.store import bundle_folder
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    OPERATOR,
    flights,
    looked_up_parts,
    open_room,
    parts,
    released,
    xgboost_model,
)


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path)


@pytest.fixture
def predictor(room, tmp_path):
    record = room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    opened = room.predictor([(record.name, record.version)])
    yield opened
    opened.close()


def columns_of(rows):
    return {name: rows[:, i].copy() for i, name in enumerate(COLUMNS)}


def test_entity_keys_alone_give_what_their_features_give(predictor):
    rows = flights().rows[1:4]
    by_keys = predictor.predict("delay", {"plane": ["p1", "p2", "p3"]})
    by_features = predictor.predict("delay", columns_of(rows))
    expected = xgboost_model().expected[1:4]
    assert by_keys.outputs["probability"].tolist() == expected.tolist()
    assert by_features.outputs["probability"].tolist() == expected.tolist()
    assert (by_keys.oldest_age_seconds, by_features.oldest_age_seconds) == (60.0, None)


def test_all_features_sent_bypass_the_lookup(predictor, room):
    predictor.predict("delay", columns_of(flights().rows[:2]))
    assert room.lookup.calls == 0


def test_one_round_trip_whatever_the_number_of_rows(predictor, room):
    predictor.predict("delay", {"plane": [f"p{i}" for i in range(50)]})
    assert room.lookup.calls == 1


def test_a_feature_that_is_sent_overrides_the_one_looked_up(predictor):
    row = flights().rows[1:2].copy()
    row[0, 1] = 3.5
    overridden = predictor.predict("delay", {"plane": "p1", "delay": 3.5})
    assert (
        overridden.outputs["probability"]
        == predictor.predict("delay", columns_of(row)).outputs["probability"]
    )


def test_missing_features_are_counted_unless_they_were_sent(predictor):
    assert predictor.predict("delay", {"plane": ["nobody"]}).missing == 4
    assert predictor.predict("delay", {"plane": ["nobody"], "wind": [1.0]}).missing == 3
    assert predictor.predict("delay", {"plane": ["p0"], "wind": [1.0]}).missing == int(
        np.isnan(flights().rows[0, [0, 1, 3]]).sum()
    )


def test_a_store_that_is_down_is_said_and_features_still_answer(predictor, room):
    room.lookup.down = True
    with pytest.raises(Unavailable, match="does not answer"):
        predictor.predict("delay", {"plane": ["p1"]})
    assert predictor.predict("delay", columns_of(flights().rows[:1])).outputs


def test_a_predictor_without_lookup_says_what_to_do(room, tmp_path):
    record = room.package(looked_up_parts(tmp_path, room), actor=AUTHOR.subject)
    opened = room.predictor([(record.name, record.version)], lookup=False, log=False)
    with pytest.raises(Unavailable, match="send every feature"):
        opened.predict("delay", {"plane": ["p1"]})


def test_unknown_models_versions_and_inputs_are_named(predictor):
    with pytest.raises(NotFound, match="nearest: delay"):
        predictor.predict("dealy", {"plane": ["p1"]})
    with pytest.raises(NotFound, match="version"):
        predictor.predict("delay", {"plane": ["p1"]}, version="x")
    with pytest.raises(Invalid, match="nearest: plane"):
        predictor.predict("delay", {"plan": ["p1"]})


def test_prediction_ids_are_kept_or_made(predictor):
    given = predictor.predict("delay", {"plane": "p1"}, prediction_id="mine")
    made = {predictor.predict("delay", {"plane": "p1"}).prediction_id for _ in range(20)}
    assert given.prediction_id == "mine" and len(made) == 20


def segments(room):
    files = list((room.settings.root / ".fieldhouse/predictions").rglob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_every_prediction_is_logged_with_inputs_features_and_answers(predictor, room):
    answer = predictor.predict("delay", {"plane": ["p1", "p2"]}, prediction_id="a")
    predictor.close()
    rows = segments(room)
    assert [(r["prediction_id"], r["row"], r["key:plane"]) for r in rows] == [
        ("a", 0, "p1"),
        ("a", 1, "p2"),
    ]
    assert rows[0]["feature:delay"] == flights().rows[1, 1]
    assert rows[1]["output:probability"] == answer.outputs["probability"][1]
    assert rows[0]["version"] == answer.version


def test_sensitive_features_are_masked_in_the_log(room, tmp_path):
    made = looked_up_parts(tmp_path, room)
    inputs = tuple(
        replace(t, sensitive=t.name in ("delay", "plane")) for t in made.signature.inputs
    )
    made = replace(made, signature=Signature(inputs, made.signature.outputs))
    record = room.package(made, actor=AUTHOR.subject)
    opened = room.predictor([(record.name, record.version)])
    opened.predict("delay", {"plane": ["p1"]})
    opened.close()
    (row,) = segments(room)
    assert row["feature:delay"] is None and row["key:plane"] is None
    assert row["feature:load"] is not None


def entry_of(predictor):
    kept = []
    predictor._log = type(
        "Keep", (), {"offer": lambda _, e: kept.append(e), "close": lambda _: 0}
    )()
    predictor.predict("delay", {"plane": ["p1"]})
    return kept[0]


def test_a_full_log_drops_and_counts_and_never_waits(predictor, tmp_path):
    predictor._log.close()
    entry = entry_of(predictor)
    log = PredictionLog(tmp_path / "log", capacity=3, flush_seconds=60)
    for _ in range(5):
        log.offer(entry)
    log.close()
    assert log.dropped == 2
    assert sum(pq.read_table(f).num_rows for f in (tmp_path / "log").rglob("*.parquet")) == 3


def test_a_log_that_cannot_be_written_counts_what_it_lost(predictor, tmp_path):
    predictor._log.close()
    entry = entry_of(predictor)
    (tmp_path / "log").write_text("not a folder")
    log = PredictionLog(tmp_path / "log", flush_seconds=60)
    log.offer(entry)
    log.close()
    assert log.dropped == 1


def test_metrics_count_rows_missing_features_and_time(predictor):
    predictor.predict("delay", {"plane": ["nobody", "p1"]})
    text = predictor.metrics.text().decode()
    labels = f'{{model="delay",version="{predictor.find("delay").version}"}}'
    assert f"fieldhouse_prediction_rows_total{labels} 2.0" in text
    assert f"fieldhouse_features_missing_total{labels} 4.0" in text
    assert 'le="1e-05"' in text


def test_followers_serve_the_champion_and_approved_versions_by_version(room, tmp_path):
    first = released(room, parts(tmp_path, xgboost_model(8)))
    second = released(room, parts(tmp_path, xgboost_model(9)))
    predictor = room.predictor(follow=False, log=False)
    row = columns_of(flights().rows[:1])
    assert predictor.predict("delay", row).version == second.version
    assert predictor.predict("delay", row, version=first.version).version == first.version


def test_rollback_is_followed_without_loading_anything(room, tmp_path):
    first = released(room, parts(tmp_path, xgboost_model(8)))
    released(room, parts(tmp_path, xgboost_model(9)))
    predictor = open_room_follow(room)
    kept = predictor.find("delay", first.version)
    room.rollback("delay", OPERATOR, "slow")
    wait_until(lambda: predictor.find("delay").version == first.version)
    assert predictor.find("delay") is kept
    predictor.close()


def open_room_follow(room):
    room.settings = replace(room.settings, environ={"FIELDHOUSE_SERVING_POLL_SECONDS": "0.02"})
    return room.predictor(log=False)


def wait_until(done, seconds=10):
    ready = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if done():
            return
        ready.wait(0.02)
    raise AssertionError("it did not come to that")


def test_a_champion_that_cannot_be_loaded_leaves_the_last_one_answering(room, tmp_path):
    first = released(room, parts(tmp_path, xgboost_model(8)))
    router = Router()
    follower = room.follower(router)
    follower.refresh()
    second = released(room, parts(tmp_path, xgboost_model(9)))
    folder = Path(room.stores.primary.url) / bundle_folder("delay", second.version)
    (folder / "model.ubj").write_bytes(b"{")
    routes = follower.refresh()
    assert routes.find("delay").version == first.version and routes.silent() == []
    with pytest.raises(Unavailable, match="not ready"):
        routes.find("delay", second.version)


def test_a_model_that_was_never_approved_is_not_served(room, tmp_path):
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    room.registry.models.save(replace(record, state="champion"), "x", "forged")
    room.registry.models.set_champion("delay", record.version, "x")
    predictor = room.predictor(follow=False, log=False)
    with pytest.raises(Unavailable, match="never approved"):
        predictor.find("delay", record.version)
    assert predictor.router.routes.silent() == ["delay"]


def test_routes_without_champions_send_the_last_of_each_name(room, tmp_path):
    record = room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    model = load_model(room.bundle("delay", record.version), room.policy)
    assert routes_of([model]).find("delay") is model


def test_predictions_from_many_threads_are_each_their_own(predictor):
    expected = xgboost_model().expected
    wrong: list[int] = []

    def ask(start):
        for i in range(start, 48, 4):
            found = predictor.predict("delay", columns_of(flights().rows[i : i + 1]))
            if found.outputs["probability"][0] != expected[i]:
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
