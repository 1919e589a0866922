import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import click
import numpy as np
import pytest
from click.testing import CliRunner

from registry.kernel.errors import NotFound
from registry.kernel.output import Output, as_text, plain, table_text, with_output


@dataclass(frozen=True)
class _Row:
    name: str
    at: datetime


@click.command()
@click.argument("word")
@with_output
def _echo(word: str, out: Output) -> None:
    out.say("talking")
    out.data({"word": word})


def test_a_command_prints_data_to_stdout_and_talk_to_stderr() -> None:
    result = CliRunner().invoke(_echo, ["hello"])
    assert (result.stdout, result.stderr) == ("word  hello\n", "talking\n")


def test_json_prints_one_document_and_nothing_else_on_stdout() -> None:
    result = CliRunner().invoke(_echo, ["hello", "--json"])
    assert json.loads(result.stdout) == {"word": "hello"}


def test_an_error_is_told_to_people_and_to_machines(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).refuse(NotFound("model", "delya", ["delay"]))
    captured = capsys.readouterr()
    assert captured.err.startswith("there is no model 'delya'\n  nearest: delay")
    error = json.loads(captured.out)["error"]
    assert (error["kind"], error["found"]) == ("NotFound", "nearest: delay")


def test_plain_knows_instants_dataclasses_sets_and_numbers_of_numpy() -> None:
    noon = datetime(2013, 10, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert plain(_Row("a", noon)) == {"name": "a", "at": "2013-10-01T12:00:00Z"}
    assert plain({"s": {"b", "a"}, "n": np.int64(3)}) == {"s": ["a", "b"], "n": 3}


def test_plain_says_null_for_what_json_cannot_say() -> None:
    assert plain([float("nan"), float("inf"), 1.5, None]) == [None, None, 1.5, None]


def test_a_table_pads_words_left_and_numbers_right() -> None:
    lines = table_text(["name", "rows"], [["a", 5], ["bcdef", 12345]]).splitlines()
    assert lines == ["name    rows", "a          5", "bcdef  12345"]


def test_rows_of_unequal_keys_make_one_table() -> None:
    lines = as_text([{"a": 1}, {"b": "x"}]).splitlines()
    assert lines == ["a  b", "1  -", "-  x"]


def test_an_empty_table_still_has_its_headers() -> None:
    assert table_text(["name"], []) == "name"


def test_an_instant_without_a_zone_is_shown_as_it_is() -> None:
    assert plain(datetime(2013, 1, 1, tzinfo=UTC)) == "2013-01-01T00:00:00Z"
    assert plain(datetime(2013, 1, 1)) == "2013-01-01 00:00:00"
