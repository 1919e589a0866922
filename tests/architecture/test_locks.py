"""The locks pin every requirement by hash and name no package index."""

import re
from pathlib import Path

import pytest

LOCKS = sorted((Path(__file__).parent.parent.parent / "lock").glob("*.txt"))
_PINNED = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z0-9,._-]+\])?==[^\s;]+( ;.*)?$")


def _requirements(lock: Path) -> list[str]:
    joined = lock.read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def _names(lock: Path) -> dict[str, str]:
    lines = (line.split()[0] for line in _requirements(lock))
    return dict(line.split("==") for line in lines)


def test_there_is_a_lock_for_each_depth() -> None:
    assert [lock.stem for lock in LOCKS] == ["all", "demo", "test"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_requirement_is_pinned_and_has_hashes(lock: Path) -> None:
    requirements = _requirements(lock)
    assert len(requirements) > 50
    for line in requirements:
        pin, *hashes = re.split(r"\s+--hash=", line.strip())
        assert _PINNED.match(pin), line[:80]
        assert hashes, f"{pin} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one.strip()) for one in hashes), pin


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_lock_names_an_index_or_an_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"(?m)^\s*(-i|--(extra-)?index-url|--find-links|-f)\b", text)


@pytest.mark.parametrize("depth", ["demo", "test"])
def test_a_shallow_lock_has_the_versions_of_the_deepest(depth: str) -> None:
    by_stem = {lock.stem: _names(lock) for lock in LOCKS}
    assert by_stem[depth].items() <= by_stem["all"].items()
