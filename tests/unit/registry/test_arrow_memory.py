"""How Arrow is asked to take its memory, before and after it is loaded."""

import os
import sys

import pyarrow as pa
import pytest

from registry.kernel.arrow_memory import prefer_jemalloc

CHOICE = "ARROW_DEFAULT_MEMORY_POOL"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jemalloc is asked for on Linux")


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, "system")  # so that it is put back, whatever a test leaves
    monkeypatch.delenv(CHOICE)


def test_the_environment_asks_all_of_arrow_before_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "pyarrow")
    prefer_jemalloc()
    assert os.environ[CHOICE] == "jemalloc"


def test_a_loaded_arrow_is_asked_itself() -> None:
    before = pa.default_memory_pool()
    try:
        pa.set_memory_pool(pa.system_memory_pool())
        prefer_jemalloc()
        assert pa.default_memory_pool().backend_name == "jemalloc"
        assert CHOICE not in os.environ
    finally:
        pa.set_memory_pool(before)


def test_what_its_user_says_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, "system")
    before = pa.default_memory_pool().backend_name
    prefer_jemalloc()
    assert (os.environ[CHOICE], pa.default_memory_pool().backend_name) == ("system", before)
