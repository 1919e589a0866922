import pytest

from registry.core.changes import plan
from registry.core.policy import (
    DEFAULT_POLICY,
    Approval,
    check_approver,
    missing,
    needs,
    read_policy,
)
from registry.core.state import NamespaceState
from registry.kernel.errors import Forbidden, Invalid
from registry.testing import NOON
from tests.definitions import compiled, view

STEWARD = frozenset({"steward"})
NEED = needs(plan(compiled(view()), NamespaceState("flights"), {}), DEFAULT_POLICY)


def approval(subject: str, roles: frozenset[str] = STEWARD, bot: bool = False) -> Approval:
    return Approval(subject, roles, bot, NOON)


def test_new_features_take_one_approval() -> None:
    assert (NEED.count, NEED.kinds) == (1, ("new feature", "other"))


def test_a_steward_who_did_not_propose_is_enough() -> None:
    assert missing(NEED, "ada", [approval("bob")]) == 0


@pytest.mark.parametrize(
    "useless",
    [approval("ada"), approval("bob", bot=True), approval("bob", frozenset({"author"}))],
    ids=["the proposer", "a bot", "no steward"],
)
def test_an_approval_that_cannot_count_does_not(useless: Approval) -> None:
    assert missing(NEED, "ada", [useless]) == 1


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
    with pytest.raises(Forbidden, match=said):
        check_approver(subject, roles, bot, proposer="ada")


def test_a_policy_line_that_means_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="new_featur"):
        read_policy({"new_featur": 2})


def test_a_policy_can_ask_for_more() -> None:
    assert read_policy({"new_feature": 2})["new feature"] == 2
