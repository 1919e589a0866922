"""What the docs show is run: each page's blocks marked `sh run`, in order, in its own folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from fieldhouse.commands import TABLE

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "deploy" / "README.md"])
# A whole pull request; versions from first to last; five builds.
SLOW = frozenset({"duplicates.md", "governance.md", "training.md"})
_BLOCK = re.compile(r"(?ms)^```sh run\n(.*?)^```$")
_SHOWN = re.compile(r"(?m)^(?:\$ )?(?:[A-Z_]+=\S+ )*fieldhouse ([a-z]+)")
_FENCED = re.compile(r"(?ms)^```(?:sh run|sh|console)\n(.*?)^```$")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _runnable() -> list[Path]:
    return [page for page in PAGES if _BLOCK.search(page.read_text())]


def _marked() -> list[ParameterSet]:
    """The pages to run; the ones that take long with a mark that says so."""
    return [
        pytest.param(page, marks=[pytest.mark.slow] if page.name in SLOW else [], id=_name(page))
        for page in _runnable()
    ]


@pytest.mark.timeout(300)  # a page may read definitions several times, each a matter of seconds
@pytest.mark.parametrize("page", _marked())
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + "\n".join(_BLOCK.findall(page.read_text()))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FIELDHOUSE_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**kept, "PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_shows_only_commands_that_exist(page: Path) -> None:
    blocks = "\n".join(_FENCED.findall(page.read_text()))
    assert set(_SHOWN.findall(blocks)) <= set(TABLE)


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "docs" / "adr").glob("*.md"))], ids=_name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def test_something_is_run() -> None:
    assert ROOT / "docs" / "getting-started.md" in _runnable()


def test_the_readmes_map_names_places_that_exist() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.[a-z]+)?)`", (ROOT / "README.md").read_text())
    assert len(named) > 5
    assert [place for place in named if not (ROOT / place).exists()] == []
