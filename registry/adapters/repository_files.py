"""The files of a feature repository: which are read, their digest, their modules' names."""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from registry.adapters.own_code import own_code
from registry.kernel.errors import Misuse

# What decides how files are read; with other code they are read again.
READERS = ("adapters", "vocabulary", "core")


def python_files(folder: Path) -> list[Path]:
    """The files that define things, sorted: every `.py` but `__init__.py`, hidden folders aside."""
    return [f for f in repository_files(folder) if f.suffix == ".py" and f.name != "__init__.py"]


def repository_files(folder: Path) -> list[Path]:
    """Every file of the repository, sorted; hidden ones and caches are left aside.

    Raises `Misuse` when the folder is not there.
    """
    if not folder.is_dir():
        raise Misuse(
            f"there is no feature repository in {folder}",
            hint="set project.repository to its folder",
        )
    ignored = _ignored(folder)
    found = (f for f in folder.rglob("*") if f.is_file() and not _is_hidden(f, folder))
    return sorted(f for f in found if f not in ignored)


def files_digest(folder: Path) -> str:
    """`sha256:` and the digest of all files with their names, and of what reads them."""
    total = hashlib.sha256(f"{own_code(*READERS)} feast {_version('feast')}".encode())
    for file in repository_files(folder):
        name = file.relative_to(folder).as_posix()
        data = file.read_bytes()
        total.update(f"\0{len(name)} {name} {len(data)}\0".encode())
        total.update(data)
    return f"sha256:{total.hexdigest()}"


def module_name(file: Path, folder: Path) -> str:
    """The dotted name under which the file is imported when the folder is on Python's path."""
    return ".".join(file.relative_to(folder).with_suffix("").parts)


def _ignored(folder: Path) -> set[Path]:
    """What `.feastignore` names, one pattern a line, as Feast reads it."""
    listing = folder / ".feastignore"
    lines = listing.read_text().splitlines() if listing.is_file() else []
    patterns = [line.partition("#")[0].strip() for line in lines]
    named = [path for pattern in patterns if pattern for path in folder.glob(pattern)]
    inside = [f for path in named if path.is_dir() for f in path.rglob("*")]
    return {*named, *inside}


def _is_hidden(file: Path, folder: Path) -> bool:
    parts = file.relative_to(folder).parts
    return any(part.startswith(".") or part == "__pycache__" for part in parts)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
