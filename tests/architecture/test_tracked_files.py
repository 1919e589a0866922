"""What may lie in the repository: nothing of the machine it was written on."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TEXT = {".py", ".toml", ".md", ".txt", ".yml", ".yaml", ".sh", ".sql", ".ini", ".cfg", ".json", ""}
# Spelled in parts so that this file does not find itself.
HOSTS = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "arti" + "factory",
    "simple/" + "index",
    "npm" + "js",
)


@cache
def _tracked() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    files = (ROOT / name for name in listed.split("\0") if name)
    return tuple(file for file in files if file.suffix in TEXT and file.is_file())


def _holding(pattern: str, beside: str = "") -> list[str]:
    """Where a pattern stands in tracked files, those under the folder `beside` left out."""
    search = re.compile(pattern)
    return [
        f"{file.relative_to(ROOT)}:{number}"
        for file in _tracked()
        if file.relative_to(ROOT).parts[0] != beside
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if search.search(line)
    ]


@pytest.fixture(autouse=True)
def _a_checkout() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.fail("the architecture tests read `git ls-files`: run them in a checkout with git")


def test_no_tracked_file_holds_the_path_of_this_checkout() -> None:
    # deploy/ tells where a server's checkout lies, which may be where this one lies.
    assert _holding(re.escape(str(ROOT)) + r"\b", beside="deploy") == []


def test_no_tracked_file_holds_a_home_folder() -> None:
    assert _holding(r"/(home|Users)/(?!you\b)[a-z]\w+/") == []


def test_no_tracked_file_names_a_package_index() -> None:
    assert _holding("|".join(map(re.escape, HOSTS))) == []


def test_every_module_of_ours_says_what_lives_there() -> None:
    rooms = ("fieldhouse", "registry", "warehouse", "training", "featureserver", "serving")
    silent = [
        str(file.relative_to(ROOT))
        for file in _tracked()
        if file.suffix == ".py"
        and file.relative_to(ROOT).parts[0] in rooms
        and not file.read_text().startswith('"""')
    ]
    assert silent == []
