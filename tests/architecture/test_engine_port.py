"""Only engines know which engine there is: another one can be added beside DuckDB."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("registry", "warehouse", "training", "featureserver", "serving", "fieldhouse")
MAY = {
    "warehouse/bootstrap.py": "joins the engine that the settings ask for",
    "warehouse/gx.py": "Great Expectations speaks to data through SQLAlchemy",
    "warehouse/quality.py": "lends Arrow data to Great Expectations",
    "training/dataset.py": "to_duckdb is a form of output",
    "fieldhouse/init.py": "reads the newcomer's CSV file, before there is a warehouse",
    "fieldhouse/demo": "makes the example's warehouse from raw files",
}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def is_duckdbs(file: Path) -> bool:
    return file.parent.name == "engines" and file.stem.startswith("duckdb")


def knows_duckdb(file: Path) -> bool:
    return any(
        name.split(".")[0] == "duckdb" or name.startswith("warehouse.engines.duckdb")
        for name in imported(file)
    )


def test_nothing_above_the_engines_knows_duckdb() -> None:
    found = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if "engines" not in file.parts and knows_duckdb(file)
    }
    unknown = {name for name in found if not any(name.startswith(path) for path in MAY)}
    assert unknown == set(), "ask the port warehouse.engines.port.Engine instead"


# Words of DuckDB's dialect that other databases do not have.
DIALECT = re.compile(r"read_parquet\(|TIMESTAMPTZ '|::BIGINT|file_row_number|USING SAMPLE|QUALIFY ")


def test_nothing_above_the_engines_writes_the_dialect_of_one() -> None:
    found = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if not is_duckdbs(file) and DIALECT.search(file.read_text())
    }
    unknown = {name for name in found if not any(name.startswith(path) for path in MAY)}
    assert unknown == set(), "let the engine write it, behind a method of the port"


def test_what_engines_share_knows_none_of_them() -> None:
    shared = (ROOT / "warehouse" / "engines").glob("*.py")
    found = {file.stem for file in shared if knows_duckdb(file)}
    assert all(name.startswith("duckdb") for name in found)
