"""How `fieldhouse.cli.run` turns errors into words and exit codes."""

import json
from pathlib import Path

import click
import pytest

from fieldhouse.cli import main, run
from fieldhouse.rooms import RoomHidden
from registry.kernel.errors import Misuse, NotFound


def _failing(error: BaseException) -> click.Command:
    @click.command("fail")
    @click.option("--json", is_flag=True)
    def fail(json: bool) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("model", "delya", ["delay"]), 1),
        (Misuse("no such file"), 2),
        (click.UsageError("wrong option"), 2),
        (click.ClickException("cannot open"), 1),
        (RoomHidden("training", Path("training.py")), 1),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("by zero"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert run(_failing(error), []) == code


def test_an_error_is_said_on_stderr_and_leaves_stdout_empty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(_failing(NotFound("model", "delya", ["delay"])), [])
    assert capsys.readouterr() == ("", "there is no model 'delya'\n  nearest: delay\n")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotFound("model", "delya"), "NotFound"),
        (click.UsageError("wrong option"), "Misuse"),
        (RoomHidden("training", None), "RoomHidden"),
        (ZeroDivisionError("by zero"), "Fault"),
    ],
)
def test_with_json_an_error_is_one_json_document_on_stdout(
    capsys: pytest.CaptureFixture[str], error: Exception, kind: str
) -> None:
    run(_failing(error), ["--json"])
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == kind


def test_no_traceback_reaches_a_user(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIELDHOUSE_DEBUG", raising=False)
    run(_failing(ZeroDivisionError("by zero")), [])
    shown = capsys.readouterr().err
    assert shown.startswith("ZeroDivisionError: by zero\n")
    assert "Traceback" not in shown


def test_debug_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDHOUSE_DEBUG", "1")
    run(_failing(ZeroDivisionError("by zero")), [])
    assert "Traceback" in capsys.readouterr().err


def test_an_unknown_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["docter"]) == 2
    assert "there is no command 'docter'. Did you mean doctor" in capsys.readouterr().err


def test_a_group_called_bare_shows_its_help_and_counts_as_misuse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "Usage: fieldhouse" in capsys.readouterr().err
