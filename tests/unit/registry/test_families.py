import pytest

from registry.core.definitions import Source
from registry.core.digests import column_expression
from registry.core.similarity.facets import differing_facets, set_facets_apart
from registry.core.similarity.families import Member, families
from registry.kernel.canonical import digest

TRAILING = """
SELECT carrier, at, {agg}(delay) OVER (PARTITION BY carrier ORDER BY at
  RANGE BETWEEN INTERVAL {window} PRECEDING AND CURRENT ROW) AS value
FROM flights WHERE delay > {least}
"""


def expression(agg: str = "avg", window: str = "30 DAY", least: int = 0) -> str:
    query = TRAILING.format(agg=agg, window=window, least=least)
    return column_expression(Source("s", "sql", query=query), "value")


def member(ref: str, text: str, keys: str = "carrier string") -> Member:
    return Member(ref, digest([text, keys]), "ada", "production", keys, text)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (expression(window="28 DAY"), ("window", "2592000 s", "2419200 s")),
        (expression(agg="median"), ("aggregation", "avg", "median")),
        (expression(least=15), ("filter", "0", "15")),
    ],
    ids=["window", "aggregation", "filter"],
)
def test_a_variant_has_the_shape_of_its_family(
    other: str, difference: tuple[str, str, str]
) -> None:
    left, right = set_facets_apart(expression()), set_facets_apart(other)
    assert left.shape == right.shape
    assert differing_facets(left, right) == [difference]


def test_a_window_of_24_hours_is_one_of_a_day() -> None:
    day, hours = (set_facets_apart(expression(window=w)) for w in ("1 DAY", "24 HOUR"))
    assert day.facets == hours.facets


def test_another_column_is_another_shape() -> None:
    other = expression().replace("flights.delay", "flights.distance")
    assert set_facets_apart(other).shape != set_facets_apart(expression()).shape


def test_what_does_not_parse_is_its_own_shape() -> None:
    assert set_facets_apart("SELECT ((").shape == "SELECT (("


def test_families_tell_duplicates_from_variants() -> None:
    found = families(
        [
            member("a:mean_30d", expression()),
            member("b:average", expression()),
            member("c:mean_7d", expression(window="7 DAY")),
            member("d:other_entity", expression(), keys="plane string"),
        ]
    )
    (family,) = found
    assert [m.ref for m in family.members] == ["a:mean_30d", "b:average", "c:mean_7d"]
    assert family.duplicates == (("a:mean_30d", "b:average"),)
    assert dict(family.facets)["c:mean_7d"] == "window 7 days against 30 days"
