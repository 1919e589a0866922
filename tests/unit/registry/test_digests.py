"""Digests of features, views and services: what is meaning, what is text, what is neither."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from registry.core.definitions import (
    Expectation,
    Feature,
    FeatureService,
    FeatureView,
    Governance,
    JoinKey,
    Location,
    OnDemandView,
    Repository,
    Source,
)
from registry.core.digests import (
    column_expression,
    meaning_digest,
    service_digest,
    text_digest,
    view_digest,
)

QUERY = "SELECT k, ts, seen, AVG(x) AS mean, MAX(x) AS top FROM t GROUP BY ALL"
MEAN = Feature("mean", "float64", Governance(owner="o", description="d", unit="m"))
SOURCE = Source("s", "sql", query=QUERY, timestamp_field="ts", created_field="seen")
VIEW = FeatureView(
    name="v",
    entities=("e",),
    join_keys=(JoinKey("k", "string"),),
    source=SOURCE,
    features=(MEAN, Feature("top", "float64")),
    ttl_seconds=3600,
)
CODE = "def f(i):\n    return {'twice': [x * 2 for x in i['mean']], 'r': i['r']}\n"
TWICE = Feature("twice", "float64")
ON_DEMAND = OnDemandView(
    name="o",
    mode="python",
    entry="f",
    code=CODE,
    features=(TWICE, Feature("r", "int64")),
    inputs=("v:mean",),
    request_fields=(JoinKey("r", "int64"),),
)
REPOSITORY = Repository("n", (), (VIEW,), (ON_DEMAND,), ())


def meaning(view: FeatureView, feature: Feature = MEAN) -> str:
    return meaning_digest(REPOSITORY, view, feature)


def with_query(query: str, **changes: object) -> FeatureView:
    return replace(VIEW, source=replace(SOURCE, query=query, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        replace(VIEW, ttl_seconds=60),
        replace(VIEW, ttl_seconds=None),
        replace(VIEW, join_keys=(JoinKey("k", "int64"),)),
        replace(VIEW, join_keys=(JoinKey("x", "string"),)),
        with_query(QUERY.replace("AVG(x)", "AVG(y)")),
        with_query(QUERY.replace("FROM t", "FROM t WHERE x > 0")),
        with_query(QUERY.replace("seen,", "seen + INTERVAL 1 DAY AS seen,")),
        with_query(QUERY.replace("k, ts", "upper(k) AS k, ts")),
        with_query(QUERY, created_field=None),
        with_query(QUERY, timestamp_field="seen", created_field=None),
        with_query(QUERY, field_mapping=(("top", "mean"),)),
        replace(VIEW, source=Source("p", "push", batch=SOURCE)),
        replace(VIEW, facts=Governance(default=0.0)),
    ],
)
def test_a_change_of_meaning_gives_another_digest(changed: FeatureView) -> None:
    assert meaning(changed) != meaning(VIEW)


@pytest.mark.parametrize(
    "same",
    [
        replace(VIEW, location=Location("other.py", 9), domain="x", name="w"),
        replace(VIEW, online=False, tags=(("a", "b"),), facts=Governance(owner="x", unit="s")),
        replace(VIEW, features=VIEW.features[::-1]),
        replace(VIEW, source=replace(SOURCE, name="renamed")),
        replace(VIEW, ttl_seconds=3600.0),
        with_query(QUERY.replace("MAX(x) AS top", "MIN(y) AS top, 1 AS more").lower()),
        with_query(f"WITH q AS ({QUERY}) SELECT * FROM q -- all of it"),
    ],
)
def test_what_is_not_meaning_leaves_the_digest(same: FeatureView) -> None:
    assert meaning(same) == meaning(VIEW)


def test_the_type_and_the_default_are_meaning() -> None:
    digests = {
        meaning(VIEW, replace(MEAN, dtype="float32")),
        meaning(VIEW, replace(MEAN, facts=Governance(default=1))),
        meaning(VIEW, replace(MEAN, facts=Governance(default=1.0))),
        meaning(VIEW, replace(MEAN, facts=Governance(default=True))),
        meaning(VIEW),
    }
    assert len(digests) == 5


def test_the_order_of_join_keys_does_not_count() -> None:
    keys = (JoinKey("a", "string"), JoinKey("b", "int64"))
    table = Source("s", "table", table="t", timestamp_field="ts")
    one = replace(VIEW, join_keys=keys, source=table)
    assert meaning(one) == meaning(replace(one, join_keys=keys[::-1]))


def test_a_column_of_a_table_is_known_by_the_tables_logical_name() -> None:
    table = Source("weather_file", "table", table="weather", timestamp_field="ts")
    assert column_expression(table, "temp") == "weather.temp"
    assert column_expression(Source("p", "push", batch=table), "temp") == "weather.temp"


def test_words_are_text_and_states_are_neither() -> None:
    described = replace(MEAN, facts=replace(MEAN.facts, description="another"))
    moved = replace(MEAN, facts=replace(MEAN.facts, state="production", version=2))
    assert text_digest(VIEW, described) != text_digest(VIEW, MEAN)
    assert text_digest(VIEW, moved) == text_digest(VIEW, MEAN)
    assert meaning(VIEW, described) == meaning(VIEW, moved) == meaning(VIEW)


def test_an_on_demand_feature_means_its_code_and_its_inputs() -> None:
    base = meaning_digest(REPOSITORY, ON_DEMAND, TWICE)
    renamed = replace(ON_DEMAND, code=CODE.replace("x * 2 for x", "y * 2 for y"), entry="f")
    other_part = replace(ON_DEMAND, code=CODE.replace("i['r']}", "[0 for _ in i['r']]}"))
    code = replace(ON_DEMAND, code=CODE.replace("* 2", "* 3"))
    upstream = replace(REPOSITORY, views=(replace(VIEW, ttl_seconds=1),))
    assert meaning_digest(REPOSITORY, renamed, TWICE) == base
    assert meaning_digest(REPOSITORY, other_part, TWICE) == base
    assert meaning_digest(REPOSITORY, code, TWICE) != base
    assert meaning_digest(upstream, ON_DEMAND, TWICE) != base
    assert meaning_digest(REPOSITORY, replace(ON_DEMAND, mode="pandas"), TWICE) != base


def test_an_input_that_the_code_does_not_read_does_not_count() -> None:
    base = meaning_digest(REPOSITORY, ON_DEMAND, TWICE)
    wider = replace(ON_DEMAND, inputs=("v:mean", "v:top"))
    assert meaning_digest(REPOSITORY, wider, TWICE) == base
    code = "def f(i):\n    return {'twice': [x for x in combine(i)]}\n"
    whole = meaning_digest(REPOSITORY, replace(ON_DEMAND, code=code), TWICE)
    assert meaning_digest(REPOSITORY, replace(wider, code=code), TWICE) != whole


def test_two_outputs_of_code_that_is_taken_whole_do_not_mean_the_same() -> None:
    whole = "def f(i):\n    out = g(i)\n    return out\ndef g(i):\n    return i\n"
    view = replace(ON_DEMAND, code=whole, features=(TWICE, Feature("thrice", "float64")))
    repository = replace(REPOSITORY, on_demand=(view,))
    assert len({meaning_digest(repository, view, feature) for feature in view.features}) == 2


def test_a_views_digest_sees_everything_but_layout() -> None:
    base = view_digest(REPOSITORY, VIEW)
    assert view_digest(REPOSITORY, with_query(QUERY.lower())) == base
    assert view_digest(REPOSITORY, replace(VIEW, features=VIEW.features[::-1])) == base
    for changed in (
        replace(VIEW, online=False),
        replace(VIEW, features=VIEW.features[:1]),
        replace(VIEW, facts=Governance(state="production")),
        replace(VIEW, expectations=(Expectation("expect_x", "{}"),)),
        replace(VIEW, tags=(("a", "b"),)),
    ):
        assert view_digest(REPOSITORY, changed) != base


def test_a_services_digest_knows_the_order_of_what_it_reads() -> None:
    service = FeatureService("s", ("v:mean", "v:top"))
    assert service_digest(service) != service_digest(replace(service, refs=service.refs[::-1]))
    assert service_digest(service) == service_digest(replace(service, location=Location("x", 1)))


def test_digests_are_the_same_in_another_process_with_another_hash_seed() -> None:
    here = Path(__file__)
    code = (
        f"import importlib.util as u; s = u.spec_from_file_location('t', {str(here)!r});"
        "m = u.module_from_spec(s); s.loader.exec_module(m);"
        "print(m.meaning(m.VIEW), m.meaning_digest(m.REPOSITORY, m.ON_DEMAND, m.TWICE))"
    )
    made = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(here.parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.split() == [meaning(VIEW), meaning_digest(REPOSITORY, ON_DEMAND, TWICE)]
