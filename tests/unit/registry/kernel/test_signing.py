from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.kernel.errors import Corrupt
from registry.kernel.signing import ensure_key, verified


def test_a_signature_is_verified_by_the_public_key(tmp_path: Path) -> None:
    key = ensure_key(tmp_path / "keys" / "a.key")
    made = key.sign(b"plan")
    assert verified(b"plan", made.signature, made.key)
    assert not verified(b"plans", made.signature, made.key)
    assert not verified(b"plan", made.signature, "00" * 32)
    assert not verified(b"plan", "no hex", made.key)


def test_many_at_once_end_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: ensure_key(tmp_path / "a.key").public, range(32)))
    assert len(set(keys)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.key"]


def test_a_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    ensure_key(tmp_path / "a.key")
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600


def test_a_file_that_holds_no_key_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_text("what?")
    with pytest.raises(Corrupt, match=r"a\.key"):
        ensure_key(tmp_path / "a.key")
