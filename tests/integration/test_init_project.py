"""A project made by `fieldhouse init` from a file: it loads, and `fieldhouse check` runs on it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders import ORDERS_CSV, Ran

Run = Callable[..., Ran]


@pytest.fixture
def orders(project: Path) -> Path:
    (project / "orders.csv").write_text(ORDERS_CSV)
    return project / "orders.csv"


def test_init_says_what_it_guessed_and_what_to_fill_in(fieldhouse: Run, orders: Path) -> None:
    ran = fieldhouse("init", "shop", "--data", str(orders), "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["entity"], ran.json["time"], ran.json["rows"]) == (
        "customer_id",
        "ordered_at",
        5,
    )
    assert ran.json["features"] == ["amount", "items", "country"]
    assert "entity key: customer_id (guessed; --entity says otherwise)" in ran.err
    assert "the units of amount, items" in ran.err


def test_the_copy_holds_every_row_with_times_in_utc(fieldhouse: Run, orders: Path) -> None:
    fieldhouse("init", "shop", "--data", str(orders))
    table = pq.read_table("shop/warehouse_data/orders.parquet")
    assert table.num_rows == 5
    assert table.column("ordered_at")[0].as_py() == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert table.column("amount").to_pylist() == [20.5, 13.0, 99.9, 7.25, 54.0]


def test_check_runs_on_what_init_made(
    fieldhouse: Run, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fieldhouse("init", "shop", "--data", str(orders))
    monkeypatch.chdir("shop")
    assert fieldhouse("doctor").code == 0
    ran = fieldhouse("check")
    assert ran.code == 0, ran.out + ran.err
    assert "has no unit" in ran.out


def test_a_parquet_file_with_odd_names_and_types_becomes_a_project(
    fieldhouse: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [datetime(2024, 1, 1), datetime(2024, 1, 2)]
    rows = {"Class ID": [7, 7], "When?": times, "lines": [[{"a": 1}], []], "Total €": [1.5, None]}
    pq.write_table(pa.table(rows), "json.parquet")
    ran = fieldhouse("init", "odd", "--data", "json.parquet", "--time", "When?")
    assert ran.code == 0, ran.err
    assert "left out, no feature can have their types: lines" in ran.err
    assert "renamed: 'Class ID' is class_id" in ran.err
    monkeypatch.chdir("odd")
    assert fieldhouse("check").code == 0


def test_init_never_writes_over_a_project(fieldhouse: Run, orders: Path) -> None:
    fieldhouse("init", "shop", "--data", str(orders))
    before = sorted(Path("shop").rglob("*"))
    ran = fieldhouse("init", "shop", "--data", str(orders))
    assert (ran.code, "already holds a project" in ran.err) == (2, True)
    assert sorted(Path("shop").rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("missing.csv", None, "is not a file"),
        ("notes.txt", "hello", "neither Parquet nor CSV"),
        ("broken.parquet", "not parquet", "cannot read"),
        ("empty.csv", "customer_id,at\n", "no rows"),
    ],
)
def test_a_file_of_no_use_is_refused_and_nothing_is_written(
    fieldhouse: Run, project: Path, name: str, text: str | None, says: str
) -> None:
    if text is not None:
        (project / name).write_text(text)
    ran = fieldhouse("init", "shop", "--data", name)
    assert ran.code in (1, 2)
    assert says in ran.err
    assert not (project / "shop").exists()
