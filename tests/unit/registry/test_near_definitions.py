"""Advice about a definition that is a piece or two away from a registered one."""

import pytest

from registry.core.compiled import Compiled
from registry.core.definitions import Source
from registry.core.findings import Finding
from registry.core.similarity.facets import variant_by
from registry.kernel.clock import FixedClock
from registry.kernel.signing import SigningKey
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.check import check
from registry.service.context import Context
from registry.service.propose import approve, propose
from registry.testing import NOON, InMemoryStore
from tests.definitions import compiled, feature, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
QUERY = (
    "SELECT carrier, at, AVG(delay) OVER (PARTITION BY carrier ORDER BY at "
    "RANGE BETWEEN INTERVAL 28 DAY PRECEDING AND CURRENT ROW) AS {name} FROM flights "
    "WHERE cancelled = 0 AND distance > 100"
)


def over(name: str, query: str) -> Compiled:
    source = Source(name, "sql", query=query.format(name=name), timestamp_field="at")
    return compiled(
        view(feature("mean_delay"), source=OLD),
        view(feature(name), name=f"{name}_view", source=source),
    )


OLD = Source("delays", "sql", query=QUERY.format(name="mean_delay"), timestamp_field="at")


@pytest.fixture
def context() -> Context:
    """A registry that holds the mean delay of 28 days."""
    made = Context(InMemoryStore(), FixedClock(NOON), SigningKey(bytes(32)))
    landed = compiled(view(feature("mean_delay"), source=OLD))
    digest = propose(made, landed, ADA).proposal.digest
    approve(made, digest, BOB)
    apply(made, digest, landed, ADA)
    return made


def advice(context: Context, query: str) -> list[Finding]:
    checked = check(context, over("another", query))
    return [finding for finding in checked.findings if finding.rule == "definition-close"]


def test_what_differs_from_the_nearest_definition_is_said_and_nothing_is_asked(
    context: Context,
) -> None:
    query = QUERY.replace("28 DAY", "30 DAY").replace("cancelled = 0 AND ", "")
    (found,) = advice(context, query)
    assert (found.severity, found.subject) == ("notice", "another_view:another")
    assert "flights/delays:mean_delay@1" in found.message
    assert "window 28 days against 30 days" in found.message
    assert "filter `0 = flights.cancelled` missing" in found.message


def test_an_equal_definition_is_a_duplicate_and_no_advice_beside(context: Context) -> None:
    assert advice(context, QUERY) == []
    rules = [f.rule for f in check(context, over("another", QUERY)).findings]
    assert rules.count("duplicate-definition") == 1


def test_what_is_unlike_is_not_spoken_of(context: Context) -> None:
    assert advice(context, "SELECT carrier, at, seats / 2 AS {name} FROM planes") == []


@pytest.mark.parametrize(
    ("known", "new", "said"),
    [
        ("SELECT AVG(t.a) FROM t", "SELECT MEDIAN(t.a) FROM t", "aggregation median for avg"),
        ("SELECT t.a FROM t WHERE t.b > 1", "SELECT t.a FROM t WHERE t.b > 2", "filter 2 for 1"),
        ("SELECT t.a * 60 FROM t", "SELECT t.a * 3600 FROM t", ""),
        ("SELECT t.a FROM t", "SELECT t.a FROM t", ""),
        ("SELECT t.a FROM t", "SELECT t.b FROM t", ""),
    ],
    ids=["aggregation", "filter", "another unit", "equal", "another column"],
)
def test_another_unit_is_no_variant(known: str, new: str, said: str) -> None:
    assert variant_by(known, new) == said
