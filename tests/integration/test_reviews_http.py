"""Consent by every route: HTTP, command and use case alike refuse whoever may not give it."""

import asyncio
from datetime import timedelta

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from fieldhouse.reviews import review_app
from registry.bootstrap import open_registry
from registry.cli.review import approve as approve_command
from registry.kernel.errors import Forbidden
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.service.propose import approve
from registry.testing import NOON
from tests.definitions import compiled, feature, view

MADE = compiled(view())
OTHER = compiled(view(feature("mean_delay"), feature("worst_delay", unit="hours")))
CONFIGURATION = """
[project]
namespace = "flights"
[clock]
instant = "2013-10-01T12:00:00Z"
"""


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "fieldhouse.toml").write_text(CONFIGURATION)
    table = {"project": {"namespace": "flights"}, "clock": {"instant": "2013-10-01T12:00:00Z"}}
    opened = open_registry(Settings(tmp_path, None, table, {}))
    yield opened
    opened.database.close()


@pytest.fixture
def people(registry):
    """Tokens by name: ada proposes, bob is a steward; the others may not consent."""
    admin = registry.issue_token(None, Principal("root", frozenset({"admin", "steward"})))
    both = frozenset({"author", "steward"})
    wanted = {
        "ada": Principal("ada", both),
        "shouting ada": Principal("ADA ", both),
        "ada again": Principal("ada", frozenset({"steward"})),
        "bob": Principal("bob", frozenset({"steward"})),
        "bot": Principal("ci", both, bot=True),
        "cy": Principal("cy", frozenset({"author"})),
    }
    tokens = {name: registry.issue_token(admin, who) for name, who in wanted.items()}
    tokens["root"] = admin
    late = Principal("eve", frozenset({"steward"}))
    tokens["expired"] = registry.issue_token(admin, late, NOON - timedelta(seconds=1))
    gone = Principal("gone", frozenset({"steward"}))
    tokens["revoked"] = registry.issue_token(admin, gone)
    (info,) = [t for t in registry.list_tokens(admin) if t.subject == "gone"]
    registry.revoke_token(admin, info.id)
    return tokens


@pytest.fixture
def ask(registry, people):
    """Calls a route as somebody: (status, body)."""
    transport = httpx.ASGITransport(review_app(registry))

    async def answered(headers, method, path, **body):
        async with httpx.AsyncClient(transport=transport, base_url="http://reviews") as client:
            return await client.request(method, path, headers=headers, **body)

    def call(who, method, path, **body):
        headers = {"Authorization": f"Bearer {people[who]}"} if who else {}
        answer = asyncio.run(answered(headers, method, path, **body))
        return answer.status_code, answer.json()

    return call


@pytest.fixture
def digest(ask):
    status, body = ask("ada", "POST", "/proposals", content=encoded(MADE))
    assert status == 200
    return body["digest"]


def encoded(made):
    return msgspec.json.encode(made.repository)


def actions(registry):
    with registry.context.store.read() as transaction:
        return [c.event.action for c in transaction.events()]


def approvals(ask, digest):
    return [a["subject"] for a in ask("bob", "GET", f"/proposals/{digest}")[1]["approvals"]]


def test_a_steward_approves_what_somebody_else_proposed(ask, digest):
    assert ask("cy", "GET", "/proposals")[1][0]["missing"]
    status, body = ask("bob", "POST", f"/proposals/{digest}/approve", json={"comment": "good"})
    assert (status, body["status"], body["missing"]) == (200, "approved", [])
    assert approvals(ask, digest) == ["bob"]


@pytest.mark.parametrize("who", ["ada", "ada again", "shouting ada", "bot", "cy"])
def test_who_proposed_a_bot_and_an_outsider_cannot_approve_by_http(registry, ask, digest, who):
    status, body = ask(who, "POST", f"/proposals/{digest}/approve", json={})
    assert (status, body["error"]) == (403, "Forbidden")
    assert "steward" in body["hint"]
    assert approvals(ask, digest) == []
    assert actions(registry)[-1] == "approval:refused"


@pytest.mark.parametrize(
    "who", ["ada", "ada again", "shouting ada", "bot", "cy", "expired", "revoked"]
)
def test_nor_by_command(registry, people, ask, digest, who, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(approve_command, [digest, "--token", people[who]])
    assert done.exit_code != 0
    assert approvals(ask, digest) == []


def test_who_proposed_the_same_plan_too_cannot_approve_it(ask, digest):
    assert ask("cy", "POST", "/proposals", content=encoded(MADE))[1]["digest"] == digest
    assert ask("cy", "POST", f"/proposals/{digest}/approve", json={})[0] == 403


def test_a_bot_that_proposes_is_not_approved_by_itself(ask):
    _, body = ask("bot", "POST", "/proposals", content=encoded(OTHER))
    assert ask("bot", "POST", f"/proposals/{body['digest']}/approve", json={})[0] == 403


def test_nor_by_whoever_made_the_bot(registry, ask, digest):
    _, body = ask("bot", "POST", "/proposals", content=encoded(OTHER))
    status, said = ask("root", "POST", f"/proposals/{body['digest']}/approve", json={})
    assert (status, "root proposed this" in str(said)) == (403, True)
    assert actions(registry)[-1] == "approval:refused"
    assert ask("root", "POST", f"/proposals/{digest}/approve", json={})[0] == 200  # of ada's


def test_nor_does_a_token_of_the_database_serve_as_another_persons(registry, people, digest):
    for who in ("ada", "ada again", "shouting ada", "bot"):
        principal = registry.authority(people[who], "steward")
        with pytest.raises(Forbidden):
            approve(registry.context, digest, principal)


@pytest.mark.parametrize("who", ["expired", "revoked", None])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/{}"), ("POST", ""), ("POST", "/{}/approve"), ("POST", "/{}/reject")],
)
def test_every_route_is_closed_to_a_token_that_is_not_good(
    registry, ask, digest, who, method, path
):
    json = {"reason": "x"} if method == "POST" else None
    status, body = ask(who, method, f"/proposals{path.format(digest)}", json=json)
    assert (status, body["error"]) == (401, "Unauthorized")
    assert (actions(registry)[-1] == "token:refused") is (who is not None)


def test_an_approval_of_another_digest_or_of_a_shortened_one_counts_for_nothing(ask, digest):
    _, other = ask("ada", "POST", "/proposals", content=encoded(OTHER))
    assert ask("bob", "POST", f"/proposals/{other['digest']}/approve", json={})[0] == 200
    assert approvals(ask, digest) == []
    assert ask("bob", "POST", f"/proposals/{digest[:20]}/approve", json={})[0] == 422
    assert ask("bob", "POST", f"/proposals/sha256:{'0' * 64}/approve", json={})[0] == 404


def test_a_rejected_proposal_is_approved_by_nobody(registry, ask, digest):
    assert ask("cy", "POST", f"/proposals/{digest}/reject", json={"reason": "no"})[0] == 403
    assert ask("bob", "POST", f"/proposals/{digest}/reject", json={"reason": "no"})[0] == 200
    assert ask("bob", "POST", f"/proposals/{digest}/approve", json={})[0] == 409
    assert actions(registry)[-3:] == [
        "rejection:refused", "proposal:rejected", "approval:refused",
    ]  # fmt: skip


def test_what_is_no_repository_or_another_namespaces_is_not_proposed(ask):
    hotels = compiled(view(), namespace="hotels")
    assert ask("ada", "POST", "/proposals", content=b"{}")[0] == 422
    assert ask("ada", "POST", "/proposals", content=encoded(hotels))[0] == 422
    assert ask("bob", "POST", "/proposals", content=encoded(MADE))[0] == 403
    assert ask("bob", "GET", "/proposals") == (200, [])
