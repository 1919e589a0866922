"""Facts as tags: what is written is read back, what breaks a format is refused at once."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from registry.core.definitions import Governance
from registry.kernel.errors import Invalid
from registry.vocabulary import expect, governed
from registry.vocabulary.governed import read_tags

SUNSET = datetime(2014, 1, 1, tzinfo=UTC)


def test_what_governed_writes_is_read_back_whole() -> None:
    facts = Governance(
        owner="a@example.com",
        description="mean",
        unit="minute",
        sensitivity="internal",
        state="deprecated",
        sunset=SUNSET,
        replaced_by="other:mean@2",
        reason="slow",
        staleness="last",
        default=-1.5,
        version=2,
    )
    checks = (expect.not_null("mean"), expect.between("mean", 0, 10))
    tags = governed(
        owner="a@example.com",
        description="mean",
        unit="minute",
        sensitivity="internal",
        state="deprecated",
        sunset=SUNSET,
        replaced_by="other:mean@2",
        reason="slow",
        staleness="last",
        default=-1.5,
        version=2,
        domain="flights",
        expectations=checks,
        tags={"team": "ops"},
    )
    declared = read_tags(tags)
    assert declared.facts == facts
    assert declared.domain == "flights"
    assert declared.expectations == checks
    assert declared.others == (("team", "ops"),)
    assert all(isinstance(value, str) for value in tags.values())


def test_what_is_not_said_makes_no_tag() -> None:
    assert governed() == {}
    assert read_tags({}).facts == Governance()


@pytest.mark.parametrize("default", ["5", 5, 5.0, True, False, "", 0])
def test_a_default_keeps_its_type(default: str | int | float | bool) -> None:
    found = read_tags(governed(default=default)).facts.default
    assert found == default
    assert type(found) is type(default)


def test_a_sunset_is_an_instant_whatever_its_zone() -> None:
    elsewhere = datetime(2014, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert governed(sunset=elsewhere) == governed(sunset="2014-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "live"},
        {"state": "retired"},
        {"sunset": "2014-01-01T00:00:00"},
        {"sunset": datetime(2014, 1, 1)},
        {"sunset": "soon"},
        {"staleness": "drop"},
        {"default": float("nan")},
        {"default": [1]},
        {"version": 0},
        {"version": True},
        {"version": "2"},
        {"owner": ""},
        {"unit": " "},
        {"sensitivity": "Top Secret"},
        {"replaced_by": "a:b:c"},
        {"replaced_by": "no such thing"},
        {"domain": "../x"},
        {"expectations": ["expect_nothing"]},
    ],
)
def test_a_value_that_breaks_its_format_is_refused_at_once(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        governed(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tags",
    [
        {"fieldhouse.colour": "red"},
        {"fieldhouse.state": "live"},
        {"fieldhouse.default": "{"},
        {"fieldhouse.version": "2.0"},
        {"fieldhouse.expectations": "[1]"},
    ],
)
def test_tags_that_governed_never_writes_are_refused(tags: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        read_tags(tags)


def test_the_vocabulary_is_imported_without_feast() -> None:
    code = "import registry.vocabulary, sys; sys.exit('feast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
