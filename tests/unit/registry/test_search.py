import pytest

from registry.kernel.clock import FixedClock
from registry.kernel.errors import Invalid
from registry.kernel.signing import SigningKey
from registry.ports import Principal
from registry.service.apply import apply
from registry.service.context import Context
from registry.service.propose import approve, propose
from registry.service.search import find_families, search_sql, search_words
from registry.testing import NOON, InMemoryStore
from tests.definitions import QUERY, compiled, feature, sql_source, view

ADA = Principal("ada", frozenset({"author", "operator"}))
BOB = Principal("bob", frozenset({"steward"}))
MEDIAN = sql_source(QUERY.replace("avg(delay)", "median(delay)"), name="medians")


@pytest.fixture
def context() -> Context:
    """A registry with the mean and the worst delay, and the median in another view."""
    made = Context(InMemoryStore(), FixedClock(NOON), SigningKey(bytes(32)))
    middle = view(feature("mean_delay"), name="middle", source=MEDIAN)
    repository = compiled(view(), middle)
    digest = propose(made, repository, ADA).proposal.digest
    approve(made, digest, BOB)
    apply(made, digest, repository, ADA)
    return made


def test_a_question_finds_the_feature_that_it_describes(context: Context) -> None:
    found = search_words(context, "worst delay")
    assert found[0].ref == "flights/delays:worst_delay@1"
    assert found[0].why == "shares: worst, delay"


def test_only_features_of_the_asked_entity_are_found(context: Context) -> None:
    assert search_words(context, "delay", entity="carrier")
    assert search_words(context, "delay", entity="tailnum") == []


def test_a_query_finds_what_computes_the_same_and_what_differs_in_a_facet(
    context: Context,
) -> None:
    query = "select carrier, at, AVG(f.delay) as d from flights f group by f.at, f.carrier"
    first, second, third = search_sql(context, query)
    assert (first.ref, first.why) == (
        "flights/delays:mean_delay@1",
        "computes exactly what column d computes",
    )
    assert {second.ref, third.ref} == {
        "flights/delays:worst_delay@1",
        "flights/middle:mean_delay@1",
    }
    assert "aggregation" in second.why


def test_a_query_that_does_not_parse_is_refused(context: Context) -> None:
    with pytest.raises(Invalid, match="cannot be told"):
        search_sql(context, "SELECT ((")


def test_families_of_the_registry_are_found(context: Context) -> None:
    (family,) = find_families(context)
    assert len(family.members) == 3
    assert family.duplicates == ()
