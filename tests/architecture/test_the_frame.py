"""The guards of tests/conftest.py guard: no skips under CI, no sockets in unit tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SKIPS = """
import pytest

def test_skips():
    pytest.skip("no Redis here")

@pytest.mark.xfail(reason="known")
def test_expected_failure():
    raise AssertionError
"""
SKIPS_AT_ONCE = """
import pytest

pytest.importorskip("a_module_that_nobody_has")
"""
CONNECTS = """
import socket

def test_connects():
    socket.create_connection(("127.0.0.1", 9))
"""
LOGS = """
import logging

def test_configures_logs():
    from registry.kernel.logs import configure_logs
    configure_logs()

def test_sees_logs_as_before(caplog):
    logging.getLogger("registry.kernel").warning("seen")
    assert caplog.messages == ["seen"]
"""


def _pytest(folder: Path, place: str, text: str, **environ: str) -> tuple[int, str]:
    """Run one test file under a copy of our conftest; the exit code and what was said."""
    (folder / "tests" / place).mkdir(parents=True)
    (folder / "tests" / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "tests" / place / "test_given.py").write_text(text)
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ},
        capture_output=True,
        text=True,
    )
    return ran.returncode, ran.stdout


def test_a_skip_is_fine_at_home(tmp_path: Path) -> None:
    code, said = _pytest(tmp_path, "integration", SKIPS)
    assert (code, "1 skipped, 1 xfailed" in said) == (0, True), said


@pytest.mark.parametrize("text", [SKIPS, SKIPS_AT_ONCE])
def test_a_skip_fails_the_run_under_ci(tmp_path: Path, text: str) -> None:
    code, said = _pytest(tmp_path, "integration", text, CI="true")
    assert code != 0
    assert "no test may be skipped under CI" in said


def test_a_unit_test_cannot_open_a_socket(tmp_path: Path) -> None:
    code, said = _pytest(tmp_path, "unit", CONNECTS)
    assert (code, "a unit test may not open a socket" in said) == (1, True)


def test_other_tests_can_open_sockets(tmp_path: Path) -> None:
    _, said = _pytest(tmp_path, "integration", CONNECTS)
    assert "may not open a socket" not in said


def test_what_an_entry_point_did_to_logs_is_undone(tmp_path: Path) -> None:
    code, said = _pytest(tmp_path, "integration", LOGS)
    assert code == 0, said
