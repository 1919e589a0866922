"""What every warehouse engine must answer about queries, columns and changes of its tables."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.core.definitions import Source
from registry.kernel.errors import FieldhouseError, Invalid, NotFound, Refused
from registry.testing import feature, view
from tests.plain_engine import Make
from tests.warehouses import hour, hours, source

PAST = pa.table({"id": [1, 1, 2], "at": hours(1, 2, 1), "x": [1.0, 2.0, 4.0], "s": ["a", "b", "c"]})
SPINE = pa.table({"id": [1, 2, 1], "t": hours(2, 2, 1)})
DOUBLED = Source(
    "doubled", "sql", query='SELECT id, "at", 2 * x AS x FROM past', timestamp_field="at"
)
VIEW = view("doubled", [feature("x")], source=DOUBLED)
CLOCK = Source(
    "clock", "sql", query='SELECT id, "at", x FROM past WHERE "at" < now()', timestamp_field="at"
)


def test_a_query_gives_its_rows_in_its_order(make: Make) -> None:
    text = "SELECT id, sum(x) AS total FROM past GROUP BY id ORDER BY id DESC"
    engine = make(past=PAST)
    assert engine.query(text).to_pydict() == {"id": [2, 1], "total": [4.0, 3.0]}
    with engine.read_query(text) as batches:
        assert batches.read_all().equals(engine.query(text))


def test_a_query_may_name_tables_of_its_own(make: Make) -> None:
    text = "WITH best AS (SELECT max(x) AS x FROM past) SELECT x FROM best"
    assert make(past=PAST).query(text).to_pydict() == {"x": [4.0]}


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("SELECT * FROM pasta", NotFound, "nearest: past"),
        ("SELECT nothing FROM past", Invalid, "nothing"),
        ("DELETE FROM past", Invalid, "must be one SELECT"),
        ("SELECT 1; SELECT 2", Invalid, "must be one SELECT"),
    ],
)
def test_a_query_that_cannot_be_is_one_error(
    make: Make, text: str, error: type[FieldhouseError], words: str
) -> None:
    engine = make(past=PAST)
    with pytest.raises(error, match=words):
        engine.query(text)
    with pytest.raises(error, match=words), engine.read_query(text) as batches:
        batches.read_all()


def test_columns_are_those_of_the_table_or_query(make: Make) -> None:
    engine = make(past=PAST)
    assert engine.schema(source("past")).equals(PAST.schema)
    assert engine.schema(DOUBLED).equals(PAST.schema.remove(3))
    assert engine.tables() == {"past": PAST.schema}
    with pytest.raises(NotFound, match="nearest: past"):
        engine.schema(source("pasta"))


def test_a_query_is_a_source_like_a_table(make: Make) -> None:
    engine = make(past=PAST)
    assert engine.as_of(SPINE, "t", VIEW, ["x"]).column("x").to_pylist() == [4, 8, 2]
    newest = engine.latest(VIEW, since=None, until=hour(9)).read_all()
    assert newest.select(["id", "x"]).to_pydict() == {"id": [1, 2], "x": [4, 8]}
    with engine.read(DOUBLED, ["x"]) as batches:
        assert sorted(batches.read_all().column("x").to_pylist()) == [2, 4, 8]
    between = engine.rows_between(DOUBLED, ["x"], "at", hour(2), None)
    assert between.to_pydict() == {"x": [4]}


def test_a_query_can_be_pinned_to_what_it_gave(make: Make, tmp_path: Path) -> None:
    engine = make(past=PAST)
    place = next(tmp_path.glob("warehouse-*/warehouse_data"), tmp_path)  # where it may be read
    pq.write_table(PAST.drop(["s"]), place / "kept.parquet")
    pinned = engine.pinned({DOUBLED: place / "kept.parquet"})
    assert pinned.as_of(SPINE, "t", VIEW, ["x"]).column("x").to_pylist() == [2, 4, 1]


def test_a_column_that_is_not_there_is_one_error(make: Make) -> None:
    engine = make(past=PAST)
    with pytest.raises((Invalid, NotFound), match="y"), engine.read(source("past"), ["y"]) as rows:
        rows.read_all()
    asked = view("past", [feature("y")], source=source("past"))
    with pytest.raises(NotFound, match="'y'"):
        engine.as_of(SPINE, "t", asked, ["y"])


def test_a_mark_goes_with_the_rows_that_it_stood_for(make: Make) -> None:
    engine = make(past=PAST)
    for asked in (source("past"), DOUBLED):
        before = engine.mark(asked)
        engine.append(source("past"), PAST.slice(0, 1), asked.name)
        assert before is None or before != engine.mark(asked)
    assert engine.mark(CLOCK) is None
    with pytest.raises(NotFound):
        engine.mark(source("pasta"))


def test_rows_that_a_table_cannot_take_change_nothing(make: Make) -> None:
    engine = make(past=PAST)
    with pytest.raises(Refused, match="it is a query"):
        engine.append(DOUBLED, PAST, "one")
    with pytest.raises(Invalid, match="no column more"):
        engine.append(source("past"), PAST.append_column("more", [[1, 2, 3]]), "two")
    with pytest.raises(Invalid, match="'x'"):
        engine.append(source("past"), PAST.set_column(2, "x", [["a", "b", "c"]]), "three")
    with engine.read(source("past")) as rows:
        assert rows.read_all().num_rows == 3
