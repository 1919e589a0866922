"""Each rule is triggered once and left alone once."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from registry.core.apply import apply_plan
from registry.core.compiled import Compiled
from registry.core.definitions import Feature, FeatureService, JoinKey, OnDemandView, Source
from registry.core.duplication import KnownFeature, ValueMatch, duplicates
from registry.core.findings import Finding
from registry.core.planning import plan
from registry.core.readers import Reader, index_readers, service_readers
from registry.core.rules.base import Evidence
from registry.core.rules.engine import Waiver, all_rules, judge, read_severities
from registry.core.similarity.verdict import Judgement, Verdict
from registry.core.state import NamespaceState
from registry.kernel.errors import Invalid
from registry.testing import NOON
from tests.definitions import QUERY, compiled, facts, feature, service, sql_source, view

LATER, EARLIER = NOON + timedelta(days=30), NOON - timedelta(days=1)
TABLES = {"flights": frozenset({"carrier", "at", "delay"})}
MEDIAN = sql_source(QUERY.replace("avg(delay)", "median(delay)"))
READING = (service("delays:mean_delay"),)
WORST = feature("worst_delay")
TABLE_IN_A_FILE = Source(
    "delays", "table", table="delays", timestamp_field="at", file="new.parquet"
)


def state_of(made: Compiled) -> NamespaceState:
    empty = NamespaceState("flights")
    return apply_plan(plan(made, empty, {}), made, empty, NOON)


def judged(
    after: Compiled, before: Compiled | None = None, **judging: object
) -> tuple[Finding, ...]:
    state = NamespaceState("flights") if before is None else state_of(before)
    readers = index_readers(service_readers(state))
    planned = plan(after, state, readers)
    fresh = [c.name for c in planned.changes if c.object == "feature" and c.action == "add"]
    evidence = Evidence(
        compiled=after,
        state=state,
        plan=planned,
        readers=readers,
        now=NOON,
        interval_seconds=3600.0,
        tables=TABLES,
        duplicates=tuple(duplicates(after, {}, fresh)),
    )
    return judge(evidence, **judging)  # type: ignore[arg-type]


def on_demand(code: str, *features: Feature, inputs: tuple[str, ...] = ()) -> OnDemandView:
    made = features or (feature("doubled"),)
    return OnDemandView("computed", "python", "compute", code, made, inputs, facts=facts())


def with_query(query: str) -> Compiled:
    return compiled(view(source=sql_source(query)))


def deprecated(**changes: object) -> Compiled:
    held: dict[str, Any] = {"state": "deprecated", "sunset": LATER, "reason": "unused", **changes}
    return compiled(view(feature("mean_delay", **held), WORST))


def leaving(services: tuple[FeatureService, ...], sunset: datetime = LATER) -> Compiled:
    going = feature("mean_delay", state="deprecated", sunset=sunset, reason="unused")
    return compiled(view(going, WORST), services=services)


@dataclass(frozen=True)
class Case:
    """A repository that triggers a rule, and one much like it that does not."""

    bad: Compiled
    good: Compiled
    before: Compiled | None = None
    good_before: Compiled | None = field(default=None)


V = view()
DRAFT_KEPT = compiled(view(feature("mean_delay", state="draft"), WORST))
KEYED_BY_PLANE = view(
    feature("mean_delay", version=2),
    feature("worst_delay", version=2),
    join_keys=(JoinKey("tailnum", "string"),),
)
NARROW = view(feature("mean_delay", "float32", version=2), WORST)
CODE = "def compute(inputs):\n    return {'doubled': [2 * x for x in inputs['mean_delay']]}\n"

CASES: dict[str, Case] = {
    "meaning-without-version": Case(
        compiled(view(source=MEDIAN)),
        compiled(view(feature("mean_delay", version=2), WORST, source=MEDIAN)),
        compiled(V),
    ),
    "version-without-change": Case(
        compiled(view(feature("mean_delay", version=2), WORST)),
        compiled(view(feature("mean_delay", version=1), WORST)),
        compiled(V),
    ),
    "first-version": Case(
        compiled(view(feature("mean_delay", version=3))), compiled(view(feature("mean_delay")))
    ),
    "type-narrowed": Case(
        compiled(NARROW), compiled(view(feature("mean_delay"), WORST)), compiled(V)
    ),
    "join-key-changed": Case(compiled(KEYED_BY_PLANE), compiled(V), compiled(V)),
    "default-removed": Case(
        compiled(view(feature("mean_delay", version=2), WORST)),
        compiled(view(feature("mean_delay", default=1.0, version=2), WORST)),
        compiled(view(feature("mean_delay", default=0.0), WORST)),
    ),
    "duplicate-definition": Case(
        compiled(V, view(name="other")),
        compiled(V, view(feature("mean_delay"), name="other", source=MEDIAN)),
    ),
    "removed-while-read": Case(
        compiled(view(WORST), services=READING),
        compiled(view(WORST)),
        compiled(V, services=READING),
    ),
    "removed-from-production": Case(compiled(view(WORST)), compiled(V), compiled(V)),
    "renamed-while-read": Case(
        compiled(
            view(
                feature("average_delay"),
                WORST,
                source=sql_source(
                    QUERY.replace("mean_delay", "average_delay"),
                ),
            ),
            services=READING,
        ),
        compiled(V, services=READING),
        compiled(V, services=READING),
    ),
    "source-file-changed": Case(
        compiled(view(source=TABLE_IN_A_FILE), services=READING),
        compiled(view(source=replace(TABLE_IN_A_FILE, file="delays.parquet")), services=READING),
        compiled(view(source=replace(TABLE_IN_A_FILE, file="delays.parquet")), services=READING),
    ),
    "online-ended": Case(
        compiled(view(online=False), services=READING),
        compiled(view(online=False)),
        compiled(view(), services=READING),
    ),
    "state-move": Case(
        compiled(view(feature("mean_delay", state="draft"), WORST)), compiled(V), compiled(V)
    ),
    "moved-from-unknown": Case(
        compiled(V, view(feature("worst_delay", moved_from="gone:x"), name="later")),
        compiled(
            view(WORST), view(feature("mean_delay", moved_from="delays:mean_delay"), name="l")
        ),
        compiled(V),
        compiled(V),
    ),
    "evidence-missing": Case(compiled(V), DRAFT_KEPT, DRAFT_KEPT),
    "deprecated-without-sunset": Case(deprecated(sunset=None), deprecated()),
    "deprecated-without-replacement": Case(deprecated(reason=None), deprecated()),
    "replacement-unknown": Case(
        deprecated(replaced_by="delays:nothing"), deprecated(replaced_by="delays:worst_delay")
    ),
    "sunset-order": Case(
        compiled(
            view(feature("mean_delay", state="deprecated", sunset=LATER), WORST),
            on_demand=(on_demand(CODE, inputs=("delays:mean_delay",)),),
        ),
        compiled(V, on_demand=(on_demand(CODE, inputs=("delays:mean_delay",)),)),
    ),
    "service-uses-draft": Case(
        compiled(view(feature("mean_delay", state="draft")), services=READING),
        compiled(view(feature("mean_delay")), services=READING),
    ),
    "service-uses-deprecated": Case(
        leaving(READING), compiled(V, services=READING), compiled(V, services=READING)
    ),
    "service-adds-deprecated": Case(
        leaving(READING), leaving((service("delays:worst_delay"),)), compiled(V)
    ),
    "sunset-readers": Case(leaving(READING), leaving(()), compiled(V, services=READING)),
    "sunset-passed": Case(leaving(READING, EARLIER), leaving(READING), leaving(READING, EARLIER)),
    "sunset-in-the-past": Case(
        leaving(READING, EARLIER), leaving(READING), compiled(V, services=READING)
    ),
    "service-unknown-feature": Case(
        compiled(V, services=(service("delays:meen_delay"),)), compiled(V, services=READING)
    ),
    "service-unknown-lender": Case(
        compiled(V, services=(service("hotels/stays:price"),)), compiled(V, services=READING)
    ),
    "owner-missing": Case(compiled(view(feature("mean_delay", owner=None))), compiled(V)),
    "description-missing": Case(
        compiled(view(feature("mean_delay", description=None))), compiled(V)
    ),
    "unit-missing": Case(compiled(view(feature("mean_delay", unit=None))), compiled(V)),
    "name-convention": Case(compiled(view(feature("MeanDelay"))), compiled(V)),
    "name-case": Case(
        compiled(V, view(name="Delays", source=MEDIAN)), compiled(V, view(name="delays_of_plane"))
    ),
    "name-confusable": Case(compiled(view(feature("mean_dеlay"))), compiled(V)),
    "timestamp-missing": Case(compiled(view(source=sql_source(timestamp_field=None))), compiled(V)),
    "entity-missing": Case(compiled(view(join_keys=())), compiled(V)),
    "history-missing": Case(
        compiled(view(source=Source("pushed", "push"))),
        compiled(view(source=Source("pushed", "push", batch=sql_source()))),
    ),
    "table-unregistered": Case(with_query(QUERY.replace("flights", "flihgts")), compiled(V)),
    "column-missing": Case(compiled(view(feature("median_delay"))), compiled(V)),
    "query-unparsable": Case(with_query("SELECT FROM WHERE ((("), compiled(V)),
    "query-looks-ahead": Case(
        with_query(
            "SELECT carrier, at AS event_timestamp, avg(delay) OVER (PARTITION BY carrier "
            "ORDER BY at ROWS BETWEEN 3 PRECEDING AND 1 FOLLOWING) AS mean_delay, "
            "max(delay) OVER (PARTITION BY carrier ORDER BY at) AS worst_delay FROM flights"
        ),
        with_query(
            "SELECT carrier, at AS event_timestamp, avg(delay) OVER (PARTITION BY carrier "
            "ORDER BY at ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS mean_delay, "
            "max(delay) OVER (PARTITION BY carrier ORDER BY at) AS worst_delay FROM flights"
        ),
    ),
    "query-unstable": Case(
        with_query(QUERY.replace("GROUP BY", "WHERE at < now() GROUP BY")), compiled(V)
    ),
    "query-order-dependent": Case(
        with_query(QUERY.replace("max(delay)", "first(delay)")),
        with_query(QUERY.replace("max(delay)", "first(delay ORDER BY delay)")),
    ),
    "ttl-below-interval": Case(compiled(view(ttl_seconds=60.0)), compiled(view(ttl_seconds=None))),
    "input-unknown": Case(
        compiled(V, on_demand=(on_demand(CODE, inputs=("weather/delays:mean_delay",)),)),
        compiled(V, on_demand=(on_demand(CODE, inputs=("delays:mean_delay",)),)),
    ),
    "transformation-io": Case(
        compiled(V, on_demand=(on_demand("import os\n" + CODE),)),
        compiled(V, on_demand=(on_demand("import math\n" + CODE),)),
    ),
}
TESTED_BELOW = {
    "expectation-failed",
    "values-not-compared",
    "duplicate-values",
    "near-duplicate",
    "duplicate-in-review",
    "definition-close",
    "retired-name-reused",
    "service-uses-quarantined",
}


def rules_of(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in findings}


@pytest.mark.parametrize("rule", sorted(CASES))
def test_the_rule_sees_what_it_is_for(rule: str) -> None:
    case = CASES[rule]
    found = [f for f in judged(case.bad, case.before) if f.rule == rule]
    assert found
    assert found[0].hint or found[0].severity == "notice"


@pytest.mark.parametrize("rule", sorted(CASES))
def test_the_rule_is_silent_otherwise(rule: str) -> None:
    case = CASES[rule]
    assert rule not in rules_of(judged(case.good, case.before))


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in all_rules()} == set(CASES) | TESTED_BELOW
    assert len(all_rules()) >= 25


def test_a_retired_name_comes_back_only_as_a_new_version() -> None:
    gone = state_of(compiled(V))
    without = compiled(view(WORST))
    gone = apply_plan(plan(without, gone, {}), without, gone, NOON)
    for version, expected in [(None, True), (2, False)]:
        back = compiled(view(feature("mean_delay", version=version), WORST))
        evidence = Evidence(back, gone, plan(back, gone, {}), {}, NOON, 3600.0)
        assert ("retired-name-reused" in rules_of(judge(evidence))) is expected


def test_a_service_that_uses_a_quarantined_feature_is_warned() -> None:
    from dataclasses import replace

    made = compiled(V, services=READING)
    state = state_of(made)
    record = replace(
        state.features["delays:mean_delay@1"], state="quarantined", before_quarantine="production"
    )
    state = replace(state, features={**state.features, record.ref: record})
    evidence = Evidence(made, state, plan(made, state, {}), {}, NOON, 3600.0)
    assert rules_of(judge(evidence)) == {"service-uses-quarantined"}


def test_a_sunset_names_all_who_read_it_further_down_with_their_owners() -> None:
    twice = (on_demand(CODE, inputs=("delays:mean_delay",)),)
    reading = (service("computed:doubled", name="fast"),)
    before = compiled(V, on_demand=twice, services=reading)
    going = feature(
        "mean_delay", state="deprecated", sunset=LATER, replaced_by="delays:worst_delay"
    )
    after = compiled(view(going, WORST), on_demand=twice, services=reading)
    state = state_of(before)
    model = [("computed:doubled@1", Reader("model", "delay@3", "grace"))]
    readers = index_readers([*service_readers(state), *model])
    evidence = Evidence(after, state, plan(after, state, readers), readers, NOON, 3600.0)
    (said,) = [f for f in judge(evidence) if f.rule == "sunset-readers"]
    assert "is read by model delay@3 (grace), service fast (ops@example.com)" in said.message
    assert said.hits == ("model delay@3", "service fast")
    assert said.hint == "move them to delays:worst_delay"


@pytest.mark.parametrize(
    ("verdict", "proposal", "rule", "severity"),
    [
        ("duplicate", "", "duplicate-values", "error"),
        ("near-duplicate", "", "near-duplicate", "warning"),
        ("duplicate", "sha256:1", "duplicate-in-review", "warning"),
        ("near-duplicate", "sha256:1", "duplicate-in-review", "warning"),
    ],
)
def test_what_values_say_is_a_finding(
    verdict: Verdict, proposal: str, rule: str, severity: str
) -> None:
    made = compiled(V)
    other = KnownFeature(
        "hotels/stays:price@1", "hotels", "", "bob", "production", "", "", proposal=proposal
    )
    said = Judgement(verdict, "values agree for 900 of 900 (key, time) pairs")
    match = ValueMatch(made.features["delays:mean_delay"], other, said)
    state = NamespaceState("flights")
    evidence = Evidence(
        made, state, plan(made, state, {}), {}, NOON, 3600.0, alike=(match,), tables=TABLES
    )
    (finding,) = judge(evidence)
    assert (finding.rule, finding.severity) == (rule, severity)
    assert "hotels/stays:price@1 (production, owner bob): values agree" in finding.message


def test_values_that_could_not_be_compared_are_said() -> None:
    made = compiled(V)
    state = NamespaceState("flights")
    evidence = Evidence(
        made, state, plan(made, state, {}), {}, NOON, 3600.0, unread=(("delays", "no\n  table"),)
    )
    (finding,) = judge(evidence)
    assert (finding.rule, finding.severity) == ("values-not-compared", "notice")
    assert finding.message.endswith("no table")


@pytest.mark.parametrize(
    ("read", "hint"),
    [
        ("weather/delays:mean_delay", "borrow the result"),
        ("delays:meen_delay", "nearest: delays:mean_delay"),
    ],
)
def test_an_on_demand_view_is_told_what_it_may_read_instead(read: str, hint: str) -> None:
    found = judged(compiled(V, on_demand=(on_demand(CODE, inputs=(read,)),)))
    (said,) = [f for f in found if f.rule == "input-unknown"]
    assert hint in said.hint


def test_a_sound_repository_has_no_findings() -> None:
    assert judged(compiled(V, services=READING)) == ()


def test_a_finding_names_the_readers_that_it_reaches() -> None:
    made = compiled(view(source=MEDIAN), services=READING)
    (finding,) = judged(made, compiled(V, services=READING))
    assert finding.hits == ("service late",)


def test_severity_is_the_repositorys_choice() -> None:
    bad = CASES["unit-missing"].bad
    (finding,) = judged(bad, severities={"unit-missing": "error"})
    assert finding.severity == "error"
    assert judged(bad, severities={"unit-missing": "off"}) == ()


def test_a_severity_for_a_rule_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Invalid, match="unit-missing"):
        read_severities({"unit-mising": "off"})


def test_a_waiver_turns_a_finding_into_a_notice_until_it_expires() -> None:
    bad = CASES["owner-missing"].bad
    waiver = Waiver("owner-missing", "delays:mean_delay", "moving teams", "ada", LATER)
    (finding,) = judged(bad, waivers=[waiver])
    assert (finding.severity, "moving teams" in finding.message) == ("notice", True)
    lapsed = Waiver("owner-missing", "delays:mean_delay", "moving teams", "ada", NOON)
    (finding,) = judged(bad, waivers=[lapsed])
    assert (finding.severity, "expired" in finding.message) == ("error", True)
