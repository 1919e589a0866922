"""How the flights warehouse is put in place: whole or not at all, and only when needed."""

import shutil
from pathlib import Path

import pytest

from fieldhouse.demo import csv_files, event_times
from fieldhouse.demo.flights import RECORD, TABLE_COUNT, build_warehouse
from registry.kernel.errors import Invalid, Misuse, Refused

SPECIAL = {"time_hour": "2013-07-01T12:00:00Z", "tzone": "America/New_York"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The five files with one line each."""
    folder = tmp_path / "csv"
    folder.mkdir()
    for name, columns in csv_files.COLUMNS.items():
        values = [SPECIAL.get(column, "1") for column in columns]
        (folder / f"{name}.csv").write_text(f"{','.join(columns)}\n{','.join(values)}\n")
    return folder


class Counted:
    """Progress that counts."""

    done = 0

    def advance(self, units: int = 1) -> None:
        self.done += units


def test_it_writes_every_table_and_reports_each(source: Path, tmp_path: Path) -> None:
    counted = Counted()
    rows = build_warehouse(tmp_path / "wh", source, counted)
    assert rows == dict.fromkeys(event_times.TABLES, 1)
    assert counted.done == TABLE_COUNT
    assert {p.stem for p in (tmp_path / "wh").glob("*.parquet")} == set(event_times.TABLES)


def test_it_leaves_a_warehouse_alone_that_was_built_from_the_same_files(
    source: Path, tmp_path: Path
) -> None:
    first = build_warehouse(tmp_path / "wh", source)
    before = (tmp_path / "wh" / "flights.parquet").stat()
    assert build_warehouse(tmp_path / "wh", source) == first
    assert (tmp_path / "wh" / "flights.parquet").stat() == before


def test_it_builds_again_when_a_file_was_edited(source: Path, tmp_path: Path) -> None:
    build_warehouse(tmp_path / "wh", source)
    with (source / "airlines.csv").open("a") as stream:
        stream.write("2,Second Air\n")
    assert build_warehouse(tmp_path / "wh", source)["carriers"] == 2


def test_it_builds_again_when_a_table_is_gone(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "copy")
    build_warehouse(tmp_path / "wh", source)
    (tmp_path / "wh" / "planes.parquet").unlink()
    build_warehouse(tmp_path / "wh", source)
    assert (tmp_path / "wh" / "planes.parquet").is_file()


def test_a_failed_build_leaves_the_old_warehouse_and_nothing_else(
    source: Path, tmp_path: Path
) -> None:
    build_warehouse(tmp_path / "wh", source)
    (source / "planes.csv").write_text("tailnum\nN1\n")
    with pytest.raises(Invalid, match=r"cannot read .*planes\.csv"):
        build_warehouse(tmp_path / "wh", source)
    assert (tmp_path / "wh" / RECORD).is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["csv", "wh"]


def test_it_names_the_files_that_are_missing(source: Path, tmp_path: Path) -> None:
    (source / "weather.csv").unlink()
    with pytest.raises(Misuse, match=r"not there: weather\.csv"):
        build_warehouse(tmp_path / "wh", source)


def test_it_refuses_a_folder_with_somebody_elses_files(source: Path, tmp_path: Path) -> None:
    (tmp_path / "wh").mkdir()
    (tmp_path / "wh" / "thesis.txt").write_text("mine")
    with pytest.raises(Refused, match="did not write"):
        build_warehouse(tmp_path / "wh", source)
    assert (tmp_path / "wh" / "thesis.txt").read_text() == "mine"


def test_a_value_of_the_wrong_type_is_refused_with_its_file(source: Path, tmp_path: Path) -> None:
    text = (source / "planes.csv").read_text()
    (source / "planes.csv").write_text(text.replace("1\n", "many\n").replace(",1,1,", ",x,x,"))
    with pytest.raises(Invalid, match=r"planes\.csv"):
        build_warehouse(tmp_path / "wh", source)


def test_a_zone_that_does_not_exist_is_refused_with_its_name(source: Path, tmp_path: Path) -> None:
    text = (source / "airports.csv").read_text().replace("America/New_York", "America/Gotham")
    (source / "airports.csv").write_text(text)
    with pytest.raises(Invalid, match="America/Gotham"):
        build_warehouse(tmp_path / "wh", source)
