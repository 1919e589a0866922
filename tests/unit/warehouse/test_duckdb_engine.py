"""What is DuckDB's own, beyond what every engine must do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.definitions import Source
from registry.kernel.errors import FieldhouseError, Invalid, NotFound, Refused, Unavailable
from registry.testing import feature, view
from tests.warehouses import duckdb_engine, hour, hours, project, put_tables, source
from warehouse.bootstrap import open_engine
from warehouse.engines.port import Engine
from warehouse.engines.spines import ready_spine

PAST = pa.table({"id": [1, 1, 2], "at": hours(1, 2, 1), "x": [1.0, 2.0, 4.0]})
SPINE = pa.table({"id": [1, 2, 1], "t": hours(2, 2, 1)})


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return duckdb_engine(tmp_path, {"past": PAST})


def sql_view(query: str, dtype: str = "float64"):  # type: ignore[no-untyped-def]
    asked = Source("asked", "sql", query=query, timestamp_field="at")
    return view("asked", [feature("x", dtype)], source=asked)


def test_a_query_is_a_source_like_a_table(engine: Engine) -> None:
    running = sql_view(
        'SELECT id, "at", sum(x) OVER (PARTITION BY id ORDER BY "at") AS x FROM past;'
    )
    assert engine.as_of(SPINE, "t", running, ["x"]).column("x").to_pylist() == [3, 4, 1]
    assert engine.schema(running.source).names == ["id", "at", "x"]


def test_a_sum_of_whole_numbers_fits_its_declared_type(engine: Engine) -> None:
    counted = sql_view('SELECT id, max("at") AS "at", sum(id) AS x FROM past GROUP BY id', "int64")
    answer = engine.as_of(SPINE, "t", counted, ["x"])
    assert answer.schema.field("x").type == pa.int64()
    assert answer.column("x").to_pylist() == [2, 2, None]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("SELECT * FROM", Invalid, "cannot read a query"),
        ("SELECT * FROM read_text('/etc/hostname')", Refused, "nothing else"),
        ("SELECT 'a'::INT", Invalid, "Conversion"),
    ],
)
def test_a_query_that_cannot_be_is_refused_in_words(
    engine: Engine, text: str, error: type[FieldhouseError], words: str
) -> None:
    with pytest.raises(error, match=words):
        engine.query(text)


def test_variables_of_the_program_are_not_tables(engine: Engine) -> None:
    secrets = pa.table({"a": [1]})
    with pytest.raises(NotFound):
        engine.query("SELECT * FROM secrets")
    assert secrets.num_rows == 1


def test_history_may_lie_in_several_files(tmp_path: Path) -> None:
    (tmp_path / "warehouse_data/past").mkdir(parents=True)
    for place in range(3):
        part = PAST.slice(place, 1)
        pq.write_table(part, tmp_path / f"warehouse_data/past/{place}.parquet")
    engine = open_engine(project(tmp_path))
    past = view("past", [feature("x")], source=source("past"))
    assert engine.as_of(SPINE, "t", past, ["x"]).column("x").to_pylist() == [2, 4, 1]


def test_nanoseconds_are_compared_as_such(tmp_path: Path) -> None:
    instants = pa.array([1_000_001, 1_000_003], pa.timestamp("ns", tz="UTC"))
    engine = duckdb_engine(
        tmp_path, {"past": pa.table({"id": [1, 1], "at": instants, "x": [1.0, 3]})}
    )
    times = pa.array([1_000_000, 1_000_001, 1_000_002, 1_000_003], pa.timestamp("ns", tz="UTC"))
    rows = pa.table({"id": [1] * 4, "t": times})
    past = view("past", [feature("x")], source=source("past"))
    assert engine.as_of(rows, "t", past, ["x"]).column("x").to_pylist() == [None, 1, 1, 3]


def test_far_instants_stay_in_order_beside_nanoseconds(tmp_path: Path) -> None:
    at = pa.array([None, -(10**17), 10**16], pa.timestamp("us", tz="UTC"))
    engine = duckdb_engine(
        tmp_path, {"past": pa.table({"id": [1] * 3, "at": at, "x": [0.0, 1, 2]})}
    )
    rows = pa.table({"id": [1], "t": pa.array([5], pa.timestamp("ns"))})
    past = view("past", [feature("x")], source=source("past"))
    assert engine.as_of(rows, "t", past, ["x"]).column("x").to_pylist() == [1]


def test_naive_times_are_of_the_declared_zone(tmp_path: Path) -> None:
    local = hours(1).cast(pa.timestamp("us"))
    past = pa.table({"id": [1], "at": local, "seen": local})
    engine = duckdb_engine(tmp_path, {"past": past}, "America/New_York")
    asked = view("past", [feature("seen", "timestamp")], source=source("past"))
    rows = pa.table({"id": [1, 1], "t": hours(5.9, 6)})
    answer = engine.as_of(rows, "t", asked, ["seen"])
    assert answer.column("seen").to_pylist() == [None, hour(6)]


def test_dates_begin_at_midnight(tmp_path: Path) -> None:
    past = pa.table({"id": [1], "at": hours(24).cast(pa.date32()), "x": [1.0]})
    engine = duckdb_engine(tmp_path, {"past": past})
    asked = view("past", [feature("x")], source=source("past"))
    rows = pa.table({"id": [1, 1], "t": hours(23, 24)})
    assert engine.as_of(rows, "t", asked, ["x"]).column("x").to_pylist() == [None, 1]


def test_keys_that_pandas_made_floats_still_match(tmp_path: Path) -> None:
    engine = duckdb_engine(tmp_path, {"past": PAST})
    asked = view("past", [feature("x")], source=source("past"))
    rows = pa.table({"id": [2.0, float("nan"), 1.0], "t": hours(9, 9, 9)})
    assert engine.as_of(rows, "t", asked, ["x"]).column("x").to_pylist() == [4, None, 2]


def test_a_column_that_left_the_source_is_named(tmp_path: Path) -> None:
    put_tables(tmp_path, {"past": PAST})
    engine = open_engine(project(tmp_path))
    put_tables(tmp_path, {"past": PAST.rename_columns(["id", "at", "y"])})
    asked = view("past", [feature("x")], source=source("past"))
    with pytest.raises(NotFound, match="no column of source 'past'"):
        engine.as_of(SPINE, "t", asked, ["x"])


def test_a_file_that_is_not_parquet_is_said(tmp_path: Path) -> None:
    put_tables(tmp_path, {"past": PAST})
    (tmp_path / "warehouse_data/past.parquet").write_bytes(b"nonsense")
    with pytest.raises((Invalid, Unavailable), match=r"past"):
        open_engine(project(tmp_path)).schema(source("past"))


def test_memory_may_be_limited(tmp_path: Path) -> None:
    put_tables(tmp_path, {"past": PAST})
    settings = project(tmp_path, '[warehouse]\nmemory_limit = "300MB"\nthreads = 1\n')
    limit = open_engine(settings).query("SELECT current_setting('memory_limit') AS m")
    assert limit.column("m").to_pylist()[0].startswith("286")


def test_what_does_not_fit_memory_is_spilled_under_home(tmp_path: Path) -> None:
    put_tables(tmp_path, {"past": PAST})
    engine = open_engine(project(tmp_path, '[warehouse]\nmemory_limit = "60MB"\n'))
    rows = "SELECT hash(i)::VARCHAR AS s FROM range(2000000) t(i)"
    ranked = engine.query(
        f"SELECT max(r) AS r FROM (SELECT row_number() OVER (ORDER BY s) AS r FROM ({rows}))"
    )
    assert ranked.column("r").to_pylist() == [2_000_000]
    assert (tmp_path / ".fieldhouse/spill").is_dir()


def test_looking_at_an_empty_folder_leaves_nothing_in_it(tmp_path: Path) -> None:
    assert open_engine(project(tmp_path)).tables() == {}
    assert not (tmp_path / ".fieldhouse").exists()


def test_a_memory_limit_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="open the warehouse"):
        open_engine(project(tmp_path, '[warehouse]\nmemory_limit = "much"\n'))


class Meddling:
    """Does something to a table's file once its schema has been read."""

    def __init__(self, file: Path, done: Callable[[Path], object]) -> None:
        self.file, self.done = file, done

    def __call__(self, spine: pa.Table, *_: object) -> pa.Table:
        self.done(self.file)
        return ready_spine(spine, *_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "done",
    [
        lambda file: file.unlink(),
        lambda file: pq.write_table(PAST.drop(["x"]), file),
        lambda file: pq.write_table(PAST.slice(0, 1), file),
        lambda file: file.write_bytes(b"PAR1 nothing"),
    ],
    ids=["gone", "other columns", "fewer rows", "damaged"],
)
def test_a_file_that_changes_between_plan_and_read_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: Callable[[Path], object]
) -> None:
    engine = duckdb_engine(tmp_path, {"past": PAST})
    (file,) = tmp_path.glob("warehouse-*/warehouse_data/past.parquet")
    monkeypatch.setattr("warehouse.engines.duckdb.ready_spine", Meddling(file, done))
    past = view("past", [feature("x")], source=source("past"))
    with pytest.raises(FieldhouseError) as caught:
        engine.as_of(SPINE, "t", past, ["x"])
    assert isinstance(caught.value, Unavailable | Invalid)


def test_a_time_that_nanoseconds_cannot_hold_is_refused_in_words(tmp_path: Path) -> None:
    past = PAST.set_column(1, "at", PAST.column("at").cast(pa.timestamp("ns", "UTC")))
    engine = duckdb_engine(tmp_path, {"past": past})
    far = pa.table({"id": [1], "t": pa.array([datetime(3000, 1, 1, tzinfo=UTC)])})
    with pytest.raises(Invalid, match="out of range"):
        engine.as_of(far, "t", view("past", [feature("x")], source=source("past")), ["x"])


def test_a_view_without_a_key_has_one_history(tmp_path: Path) -> None:
    engine = duckdb_engine(tmp_path, {"past": PAST})
    keyless = replace(view("past", [feature("x")], source=source("past")), join_keys=())
    rows = pa.table({"t": hours(0, 1, 2)})
    assert engine.as_of(rows, "t", keyless, ["x"]).column("x").to_pylist() == [None, 4, 2]
    assert engine.latest(keyless, since=None, until=hour(2)).read_all()["x"].to_pylist() == [2]
