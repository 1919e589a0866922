"""The import contracts hold, and they would notice."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("fieldhouse", "registry", "warehouse", "training", "featureserver", "serving")
LINT = Path(sys.executable).parent / "lint-imports"


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(folder), "PATH": ""},
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The house without its data, to be broken."""
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_contract_holds() -> None:
    ran = _lint(ROOT)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("registry/settings.py", "import serving", "rooms are layered"),
        ("training/__init__.py", "import featureserver", "rooms are layered"),
        ("registry/core/definitions.py", "import sqlalchemy", "the pure core does no I/O"),
        ("registry/kernel/errors.py", "import registry.core", "inside the registry"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    copy: Path, module: str, line: str, contract: str
) -> None:
    file = copy / module
    file.write_text(f"{file.read_text()}\n{line}\n")
    ran = _lint(copy)
    assert ran.returncode == 1
    assert f"{contract} BROKEN" in ran.stdout


def _layers() -> list[tuple[str, str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return [
        (container, layer.strip())
        for contract in contracts["contracts"]
        for container in contract.get("containers", [])
        for line in contract["layers"]
        for layer in line.replace(":", "|").split("|")
    ]


@pytest.mark.parametrize(("container", "layer"), _layers())
def test_a_contract_names_only_modules_that_exist(container: str, layer: str) -> None:
    assert not layer.startswith("("), "a layer that may be absent guards nothing"
    module = ROOT / container.replace(".", "/") / layer
    assert module.is_dir() or module.with_suffix(".py").is_file(), f"{container}.{layer}"
