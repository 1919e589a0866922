from collections.abc import Iterable
from dataclasses import replace

import pytest

from registry.core.answerable import Answerable, answerable
from registry.core.apply import apply_plan
from registry.core.changes import Plan
from registry.core.compiled import Compiled
from registry.core.owners import Domain, Owners
from registry.core.planning import plan
from registry.core.policy import (
    DEFAULT_POLICY,
    Approval,
    Need,
    check_approver,
    kind_of,
    lacking,
    needs,
    read_policy,
)
from registry.core.readers import Reader
from registry.core.state import NamespaceState
from registry.kernel.errors import Forbidden, Invalid
from registry.testing import NOON
from tests.definitions import QUERY, compiled, feature, sql_source, view

STEWARD = frozenset({"steward"})
EMPTY = NamespaceState("flights")
FIRST = compiled(view(domain="carriers"))
HELD = apply_plan(plan(FIRST, EMPTY, {}), FIRST, EMPTY, NOON)
MEDIAN = sql_source(QUERY.replace("avg(delay)", "median(delay)"))
CHANGED = compiled(
    view(feature("mean_delay", version=2), feature("worst_delay"), source=MEDIAN, domain="carriers")
)
LATE = Reader("service", "late", "app@example.com")
FEEDER = Reader("model", "delay@1", "grace")


def taken(
    made: Compiled,
    state: NamespaceState = EMPTY,
    owners: Owners | None = None,
    acting: Iterable[str] = (),
    proposers: tuple[str, ...] = ("ada",),
    readers: tuple[Reader, ...] = (),
) -> tuple[Need, ...]:
    acts = set(acting).__contains__
    planned = plan(made, state, {"delays:mean_delay@1": readers})
    answer = answerable(made.repository, state, owners or Owners(), acts)
    return needs(planned, DEFAULT_POLICY, answer, proposers)


def approval(subject: str, roles: frozenset[str] = STEWARD, bot: bool = False) -> Approval:
    return Approval(subject, roles, bot, NOON)


def test_a_new_feature_takes_a_steward() -> None:
    (asked,) = [n for n in taken(FIRST) if n.kind == "new feature"]
    assert (asked.who, asked.count, asked.subjects) == ("a steward of carriers", 1, ())
    assert asked.about == ("delays:mean_delay", "delays:worst_delay")


def test_a_new_feature_takes_a_steward_of_its_domain() -> None:
    owners = Owners({"carriers": Domain("ops@example.com", ("grace", "ada"))})
    (asked,) = [n for n in taken(FIRST, owners=owners) if n.kind == "new feature"]
    assert asked.subjects == ("grace",)  # ada proposed it
    assert lacking([asked], ["ada"], [approval("bob")])[0].count == 1
    assert lacking([asked], ["ada"], [approval("Grace", frozenset())]) == ()


def test_a_changed_meaning_takes_its_owner_and_every_readers() -> None:
    asked = taken(
        CHANGED,
        HELD,
        acting=["ops@example.com", "grace", "app@example.com"],
        readers=(LATE, FEEDER),
    )
    assert [(n.who, n.subjects) for n in asked] == [
        ("owner ops@example.com", ("ops@example.com",)),
        ("the owner of model delay@1", ("grace",)),
        ("the owner of service late", ("app@example.com",)),
    ]


def test_the_owner_is_the_one_that_the_registry_has() -> None:
    taken_over = view(
        feature("mean_delay", version=2, owner="eve"),
        feature("worst_delay"),
        source=MEDIAN,
        domain="carriers",
    )
    (asked,) = [
        n
        for n in taken(compiled(taken_over), HELD, acting=["eve", "ops@example.com"])
        if n.kind == "meaning"
    ]
    assert asked.subjects == ("ops@example.com",)


def test_a_new_owner_is_no_mere_text() -> None:
    made = compiled(view(feature("mean_delay", owner="eve"), feature("worst_delay")))
    assert "terms" in {n.kind for n in taken(made, HELD)}


def test_a_team_speaks_for_an_owner() -> None:
    owners = Owners(teams={"ops@example.com": ("olga", "oleg")})
    (asked,) = taken(CHANGED, HELD, owners=owners)
    assert asked.subjects == ("olga", "oleg")


@pytest.mark.parametrize("acting", [(), ("ada",)], ids=["nobody acts", "the owner proposed"])
def test_a_steward_speaks_where_no_owner_can(acting: tuple[str, ...]) -> None:
    (asked,) = taken(CHANGED, HELD, acting=acting, proposers=("ada", "ops@example.com"))
    assert asked.who == "a steward of carriers, as nobody else speaks for owner ops@example.com"
    assert asked.subjects == ()


def test_text_takes_nobody() -> None:
    made = compiled(
        view(feature("mean_delay", description="new"), feature("worst_delay"), domain="carriers")
    )
    assert taken(made, HELD) == ()


def test_a_drafts_meaning_takes_no_readers() -> None:
    (change,) = [c for c in plan(CHANGED, HELD, {}).changes if c.aspect == "meaning"]
    assert (kind_of(change, "draft"), kind_of(change, "production")) == ("draft", "meaning")


def test_one_approval_serves_every_need_that_asks_for_it() -> None:
    asked = taken(CHANGED, HELD, acting=["grace"], readers=(FEEDER,))
    assert len(asked) == 2
    assert lacking(asked, ["ada"], [approval("grace")]) == ()


@pytest.mark.parametrize(
    "useless",
    [
        approval("ada"),
        approval(" ADA "),
        approval("bob", bot=True),
        approval("bob", frozenset({"author"})),
    ],
    ids=["the proposer", "the proposer in capitals", "a bot", "no steward"],
)
def test_an_approval_that_cannot_count_does_not(useless: Approval) -> None:
    (asked,) = [n for n in taken(FIRST) if n.kind == "new feature"]
    assert [lack.count for lack in lacking([asked], ["ada"], [useless])] == [1]


@pytest.mark.parametrize(
    ("subject", "roles", "bot", "said"),
    [
        ("ada", STEWARD, False, "who proposes never approves"),
        ("bob", STEWARD, True, "a bot's approval never counts"),
        ("bob", frozenset({"author"}), False, "bob may not approve"),
    ],
)
def test_an_approval_that_cannot_count_is_refused_at_once(
    subject: str, roles: frozenset[str], bot: bool, said: str
) -> None:
    with pytest.raises(Forbidden, match=said) as refused:
        check_approver(subject, roles, bot, ["ada"], taken(FIRST))
    assert "anybody with role steward" in str(refused.value)


@pytest.mark.parametrize(
    "line", [{"new_featur": 2}, {"meaning": -1}, {"meaning": ["boss"]}, {"meaning": True}], ids=str
)
def test_a_policy_line_that_means_nothing_is_refused(line: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="not a policy line"):
        read_policy(line)


def test_a_policy_can_ask_for_more() -> None:
    policy = read_policy({"new_feature": ["2 domain steward", "owner"], "text": 1})
    planned = Plan("flights", plan(FIRST, EMPTY, {}).changes)
    asked = needs(planned, policy, replace(Answerable(), owned={}), ["ada"])
    assert {n.count for n in asked if n.kind == "new feature"} == {1, 2}
    assert str(policy["text"][0].who) == "steward"
