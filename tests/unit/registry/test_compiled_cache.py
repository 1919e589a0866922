"""Compiled views are kept between runs, and never mistaken for others."""

from pathlib import Path

import pytest

from registry.adapters import compiled_cache
from registry.adapters.compiled_cache import CompiledCache
from registry.core.compile import compile_repository, compiled_views
from registry.core.definitions import Location
from tests.definitions import QUERY, compiled, feature, repository, sql_source, view

MADE = compiled(view())


@pytest.fixture
def cache(tmp_path: Path) -> CompiledCache:
    return CompiledCache(tmp_path / "cache")


def test_what_was_kept_is_what_was_compiled(cache: CompiledCache) -> None:
    cache.write("flights", compiled_views(MADE), {})
    known = cache.read("flights")
    assert compile_repository(repository(view()), known) == MADE
    assert known == compiled_views(MADE)


def test_a_view_that_changed_is_compiled_again() -> None:
    changed = view(source=sql_source(QUERY.replace("avg", "median")))
    known = compiled_views(MADE)
    assert compile_repository(repository(changed), known) == compiled(changed)


def test_a_feature_that_moved_down_the_file_has_its_new_place() -> None:
    place = Location("delays.py", 9)
    moved = view(feature("mean_delay"), location=place)
    known = compiled_views(compiled(view(feature("mean_delay"), location=Location("delays.py", 1))))
    assert compile_repository(repository(moved), known).views["delays"].location == place
    assert not compiled_views(compiled(moved)).keys() & known.keys()


def test_other_code_does_not_believe_what_was_kept(
    cache: CompiledCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write("flights", compiled_views(MADE), {})
    monkeypatch.setattr(compiled_cache, "compiler", lambda: "another")
    assert cache.read("flights") == {}


@pytest.mark.parametrize("damage", [b"", b"{", b'{"compiler":1}', b"\xff\xfe"])
def test_a_damaged_file_costs_only_time(cache: CompiledCache, damage: bytes) -> None:
    cache.write("flights", compiled_views(MADE), {})
    (file,) = cache._folder.iterdir()
    file.write_bytes(damage)
    assert cache.read("flights") == {}


def test_namespaces_are_kept_apart(cache: CompiledCache) -> None:
    cache.write("flights", compiled_views(MADE), {})
    assert cache.read("trains") == {}


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    cache = CompiledCache(tmp_path / "taken")
    cache.write("flights", compiled_views(MADE), {})
    assert cache.read("flights") == {}
