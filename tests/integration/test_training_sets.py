"""Training sets from spine to verified files, over a small warehouse in DuckDB."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.definitions import Expectation
from registry.kernel.errors import Conflict, Corrupt, Gone, Invalid, Misuse, NotFound, Refused
from tests.training_room import READINGS, SPINE, training_in
from tests.warehouses import hour, hours, put_tables
from training.build import Training
from training.splits import split_by_time


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Training]:
    return partial(training_in, tmp_path)


def test_a_set_holds_the_spine_and_its_features_as_they_were_known(make: Any) -> None:
    made = make().build("one", SPINE, "all", "y")
    table = made.to_arrow()
    assert table.select(SPINE.column_names).equals(SPINE)
    assert made.feature_names == ["value", "kind", "n", "double"]
    assert table.column("value").to_pylist() == [20, 10, 50, None]
    assert table.column("kind").to_pylist() == [None, "a", "b", None]
    assert table.column("n").to_pylist() == [1, 2, 2, None]
    assert table.column("double").to_pylist() == [0, 10, 0, None]


def test_the_manifest_says_what_was_built_and_from_what(make: Any) -> None:
    training = make()
    manifest = training.build("one", SPINE, "all", "y").manifest
    roles = {column.name: column.role for column in manifest.columns}
    assert roles["id"] == "key"
    assert (roles["y"], roles["event_timestamp"], roles["value_y"]) == ("label", "time", "spine")
    assert manifest.features[0].ref == "readings:value@1"
    assert [kept.of for kept in manifest.snapshots] == ["spine", "readings", "counted"]
    assert manifest.profiles["value"].nulls == 1
    assert manifest.engine.startswith("duckdb")
    assert training.registry.datasets.get("one").features[0] == "readings:value@1"


def test_a_set_is_loaded_as_it_was_built(make: Any) -> None:
    training = make()
    made = training.build("one", SPINE, "all", "y")
    again = training.load("one")
    assert (again.digest, again.manifest) == (made.digest, made.manifest)
    assert again.to_arrow().equals(made.to_arrow())
    assert sum(batch.num_rows for batch in again.batches(2)) == 4
    assert (
        list(again.to_pandas().columns)
        == again.to_polars().columns
        == again.to_arrow().column_names
    )


def test_the_same_request_gives_the_same_set(make: Any) -> None:
    training = make()
    assert training.build("one", SPINE, "all").digest == training.build("one", SPINE, "all").digest


def test_a_name_is_never_taken_twice(make: Any) -> None:
    training = make()
    training.build("one", SPINE, "all")
    with pytest.raises(Conflict, match="another recipe"):
        training.build("one", SPINE, ["readings:value"])
    with pytest.raises(Conflict, match="other data"):
        training.build("one", SPINE.slice(1), "all")


def test_a_set_is_verified_after_its_sources_moved_on(make: Any, tmp_path: Path) -> None:
    training = make()
    made = training.build("one", SPINE, "all", "y")
    put_tables(tmp_path, {"readings": pa.concat_tables([READINGS, READINGS.slice(0, 1)])})
    found = training.verify("one", live=True)
    assert found.ok
    assert found.stored == found.rebuilt == made.manifest.content_hash
    assert found.live is not None
    assert [(moved.source, moved.reason) for moved in found.live.moved] == [
        ("readings", "1 row repeated"),
        ("counted", "1 row corrected"),
    ]
    assert (found.live.changed, found.live.columns) == (2, ("n",))


def test_data_that_were_changed_do_not_verify(make: Any) -> None:
    training = make()
    made = training.build("one", SPINE, "all", "y")
    table = made.to_arrow()
    changed = table.set_column(1, table.column_names[1], hours(6, 6, 7, 8))
    pq.write_table(changed, made.folder / "data.parquet")
    found = training.verify("one")
    assert not found.ok
    assert found.stored != found.expected == found.rebuilt


def test_snapshots_that_are_lost_or_changed_are_named(make: Any) -> None:
    training = make()
    made = training.build("one", SPINE, "all", "y")
    kept = {one.of: training.snapshots.find(one.digest).path for one in made.manifest.snapshots}
    kept["spine"].unlink()
    pq.write_table(READINGS.slice(1), kept["readings"])
    found = training.verify("one")
    assert not found.ok
    assert [damage.split(":")[0] for damage in found.damaged] == [
        "snapshot of spine",
        "snapshot of readings",
    ]


def test_parts_of_the_split_are_sets_themselves(make: Any) -> None:
    splits = split_by_time({"train": hour(7), "test": None})
    made = make().build("one", SPINE, "all", "y", splits=splits)
    assert [(part.name, part.rows) for part in made.manifest.parts] == [("train", 2), ("test", 2)]
    train = made.split("train")
    assert (train.rows, train.label, train.to_arrow().column("id").to_pylist()) == (2, "y", [2, 1])
    with pytest.raises(NotFound, match="nearest: train"):
        made.split("tain")


def test_an_as_of_instant_takes_what_was_known_then(make: Any) -> None:
    made = make().build("one", SPINE, ["readings:value"], as_of=hour(6))
    assert made.to_arrow().column("value").to_pylist() == [20, 10, 10, None]
    with pytest.raises(Invalid, match="does not say when"):
        make().build("two", SPINE, ["counts:n"], as_of=hour(6))


def test_naive_spine_times_are_of_the_declared_zone(make: Any) -> None:
    local = SPINE.set_column(1, "event_timestamp", SPINE.column(1).cast(pa.timestamp("ns")))
    early = make().build("early", local, ["readings:value"], time_zone="Asia/Tokyo")
    assert early.to_arrow().column("value").to_pylist() == [None] * 4
    same = make().build("same", local, ["readings:value"])
    assert same.to_arrow().column("value").to_pylist() == [20, 10, 50, None]


def test_a_spine_may_be_a_query_over_the_warehouse(make: Any) -> None:
    query = 'SELECT id, "at" AS event_timestamp FROM readings ORDER BY "at" DESC'
    made = make().build("one", query, ["counts:n"])
    assert made.to_arrow().column("id").to_pylist() == [1, 2, 1]


def test_failed_expectations_warn_or_block(make: Any) -> None:
    expected = (Expectation("expect_column_values_to_not_be_null", '{"column":"kind"}'),)
    for policy in ("warn", "block", "off"):
        training = make(f'[training]\nquality = "{policy}"\n')
        registry = training.registry
        readings = replace(registry.state.views["readings"], expectations=expected)
        views = {**registry.state.views, "readings": readings}
        registry.state = replace(registry.state, views=views)
        if policy == "block":
            with pytest.raises(Refused, match="expectations fail"):
                training.build(policy, SPINE, "all")
            assert not training.datasets.has(policy)
            continue
        manifest = training.build(policy, SPINE, "all").manifest
        told = [f.message for f in manifest.findings if f.rule == "expectation"]
        assert len(told) == len(manifest.quality) == (policy == "warn")


def test_findings_are_kept_with_the_set(make: Any) -> None:
    wide = pa.concat_tables([SPINE] * 10)  # where value is 10 just when y is 1
    made = make().build("one", wide, ["readings:value"], "y")
    (finding,) = made.manifest.findings
    assert (finding.rule, finding.subject) == ("leakage", "value")


def test_a_feature_gives_way_to_a_spine_column_of_its_name(make: Any) -> None:
    spine = SPINE.append_column("value", pa.array([1, 2, 3, 4]))
    made = make().build("one", spine, ["readings:value", "readings:kind"], "value")
    assert made.feature_names == ["readings__value", "kind"]
    assert made.to_arrow().column("value").to_pylist() == [1, 2, 3, 4]


def test_a_build_that_cannot_be_registered_leaves_nothing(make: Any) -> None:
    training = make()

    class Full:
        def add(self, record: object) -> None:
            raise Refused("the registry says no")

    training.registry.datasets = Full()
    with pytest.raises(Refused, match="says no"):
        training.build("one", SPINE, "all")
    assert training.datasets.names() == ()
    assert list(training.datasets.root.iterdir()) == []


def test_differences_of_two_sets_are_told(make: Any) -> None:
    training = make()
    training.build("one", SPINE, "all", "y")
    training.build("two", SPINE.slice(0, 3), ["readings:value", "counts:n"], "y")
    found = training.diff("one", "two")
    assert (found.rows, found.removed, found.same) == ((4, 3), ("kind", "double"), False)
    assert "value" in {change.column for change in found.changed}
    assert found.moved is not None
    assert (found.moved.removed, found.moved.corrected, found.moved.appended) == (1, 0, 0)
    assert training.diff("one", "one").same


@pytest.mark.parametrize(
    ("spine", "options", "error", "words"),
    [
        (SPINE.drop(["id"]), {}, Misuse, "no column 'id'"),
        (SPINE, {"label": "yy"}, Misuse, r"'yy' \(label\)"),
        (SPINE, {"time_column": "event_time"}, Misuse, "nearest: event_timestamp"),
        (SPINE, {"time_column": "value_y"}, Invalid, "must hold times"),
        (SPINE.drop(["y"]), {}, Misuse, "request field of 'doubled'"),
        (SPINE, {"features": "al"}, NotFound, "nearest: all"),
        (SPINE, {"features": []}, Misuse, "needs features"),
        (SPINE, {"name": "a/b"}, Misuse, "cannot name"),
        (SPINE, {"time_zone": "Mars/Olympus"}, Invalid, "Mars"),
    ],
)
def test_a_request_that_cannot_be_leaves_nothing_behind(
    make: Any, spine: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    training = make()
    if "time_zone" in options:
        spine = spine.set_column(1, "event_timestamp", spine.column(1).cast(pa.timestamp("us")))
    asked = {"name": "one", "features": "all", **options}
    with pytest.raises(error, match=words):
        training.build(spine=spine, **asked)
    assert training.datasets.names() == ()


def test_a_retired_feature_is_gone(make: Any) -> None:
    from registry.core.published import RetiredFeature

    training = make()
    gone = (RetiredFeature("readings", "old", 1, "readings:value"),)
    training.registry.state = replace(training.registry.state, retired=gone)
    with pytest.raises(Gone, match="use readings:value"):
        training.build("one", SPINE, ["readings:old"])


def test_a_manifest_that_was_cut_short_is_corrupt(make: Any) -> None:
    training = make()
    file = training.build("one", SPINE, "all").folder / "manifest.json"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(Corrupt, match="manifest"):
        training.load("one")
