"""Every wrong route to an approval: refused, and written into the audit chain. Real tokens, SQL."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from registry.bootstrap import open_registry
from registry.kernel.errors import Corrupt, Forbidden, Refused, Unauthorized
from registry.kernel.settings import read_settings
from registry.ports import Principal
from registry.service.verify import verify_audit
from registry.settings import registry_url
from serving.bootstrap import open_serving
from serving.cli import model
from serving.hosting import open_data_plane
from tests.asgi import served
from tests.model_room import parts, passing_report, xgboost_model

PEOPLE = {
    "author": Principal("author@x", frozenset({"author", "owner", "reliability"})),
    "ci": Principal("ci@x", frozenset({"author", "owner"})),
    "bot": Principal("bot@x", frozenset({"owner", "reliability"}), bot=True),
    "owner": Principal("owner@x", frozenset({"owner"})),
    "sre": Principal("sre@x", frozenset({"reliability"})),
    "operator": Principal("operator@x", frozenset({"operator"})),
    "gone": Principal("gone@x", frozenset({"owner"})),
}


@dataclass
class Case:
    """A room over a real registry, everybody's token, and a gated version."""

    room: object
    tokens: dict[str, str]
    version: str


@pytest.fixture
def case(project: Path, monkeypatch):
    (project / "fieldhouse.toml").write_text("")
    room = open_serving(read_settings(project))
    registry = open_registry(room.settings)
    admin = registry.issue_token(None, Principal("admin", frozenset({"admin"})))
    soon = room.clock() + timedelta(seconds=30)
    tokens = {
        name: registry.issue_token(admin, who, soon if name == "gone" else None)
        for name, who in PEOPLE.items()
    }
    later = (room.clock() + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    monkeypatch.setenv("FIELDHOUSE_CLOCK_INSTANT", later)
    room = open_serving(read_settings(project))
    return Case(room, tokens, gated(room, project, 8))


def gated(room, project, rounds):
    record = room.package(parts(project, xgboost_model(rounds)), actor="author@x")
    room.keep_report(record, passing_report(record, requested_by="ci@x"), "ci@x")
    return record.version


def run(*words, token=None):
    """The command as it is called; its errors are raised."""
    words = [*words, "--token", token] if token else [*words]
    found = CliRunner().invoke(model, [*words, "--json"])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return json.loads(found.stdout)


def approve(case, who, *more, version=None):
    words = ("approve", "delay", version or case.version, "--comment", "good", *more)
    return run(*words, token=case.tokens.get(who, who))


def refusals(case):
    history = case.room.registry.models.history("delay")
    return [(e.actor, e.action, e.reason) for e in history if e.action.endswith(":refused")]


def chain_is_whole(case):
    return verify_audit(open_registry(case.room.settings).context).problems == ()


def events(case):
    with open_registry(case.room.settings).context.store.read() as transaction:
        return [chained.event for chained in transaction.events()]


def state(case, version=None):
    return case.room.registry.models.get("delay", version or case.version).state


WRONG = [
    ("author", (), "packaged or gated"),
    ("author", ("--as", "reliability"), "packaged or gated"),
    ("ci", (), "packaged or gated"),
    ("bot", (), "is a bot"),
    ("operator", (), "may not approve"),
    ("owner", ("--as", "reliability"), "may not approve models as reliability"),
]


def test_whoever_may_not_approve_is_refused_and_audited(case):
    for who, more, why in WRONG:
        with pytest.raises(Forbidden, match=why):
            approve(case, who, *more)
    for (who, _, why), (actor, action, reason) in zip(WRONG, refusals(case), strict=True):
        assert (actor, action) == (PEOPLE[who].subject, "model:approval:refused")
        assert why in reason
    assert state(case) == "gated" and chain_is_whole(case)


def test_a_token_that_is_spent_made_up_or_absent_opens_nothing(case):
    for token in ("gone", "fh_made_up", None):
        with pytest.raises(Unauthorized):
            approve(case, token)
    assert state(case) == "gated" and refusals(case) == []
    spent = [event for event in events(case) if event.action == "token:refused"]
    assert [event.actor for event in spent] == ["gone@x"]  # nobody stands behind the others


def test_one_person_does_not_speak_twice(case):
    approve(case, "owner")
    with pytest.raises((Forbidden, Refused), match="already"):
        approve(case, "owner")
    with pytest.raises(Refused, match="is gated"):
        run("promote", "delay", case.version, token=case.tokens["operator"])
    actions = [(actor, action) for actor, action, _ in refusals(case)]
    assert actions == [
        ("owner@x", "model:approval:refused"),
        ("operator@x", "model:promotion:refused"),
    ]


def test_another_digest_than_the_gated_one_is_not_approved(case):
    location = Path(case.room.registry.models.get("delay").facts["location"])
    (location / "model.ubj").write_bytes(xgboost_model(9).data)
    with pytest.raises(Corrupt, match="not what was packaged"):
        approve(case, "owner")
    assert refusals(case)[0][:2] == ("owner@x", "model:approval:refused")


def in_database(case, statement, **values):
    """What somebody with the database's password would do, past all of our code."""
    engine = sa.create_engine(registry_url(case.room.settings))
    with engine.begin() as connection:
        found = connection.execute(sa.text(statement), values)
        rows = found.fetchall() if found.returns_rows else []
    engine.dispose()
    return rows


def test_a_replayed_approval_does_not_release_another_version(case, project):
    for who in ("owner", "sre"):
        approve(case, who)
    other = gated(case.room, project, 9)
    words = case.room.registry.models.get("delay", case.version).facts["approvals"]
    ((body,),) = in_database(case, "SELECT body FROM model WHERE version = :v", v=other)
    forged = json.loads(body)
    forged["state"], forged["facts"]["approvals"] = "approved", words
    in_database(
        case,
        "UPDATE model SET state = 'approved', body = :body WHERE version = :v",
        body=json.dumps(forged),
        v=other,
    )
    assert state(case, other) == "approved"
    with pytest.raises(Refused, match="lapsed"):
        run("promote", "delay", other, token=case.tokens["operator"])
    assert refusals(case)[-1][1] == "model:promotion:refused"


def test_rows_written_into_the_database_serve_nothing(case):
    ((body,),) = in_database(case, "SELECT body FROM model WHERE version = :v", v=case.version)
    forged = json.dumps({**json.loads(body), "state": "champion"})
    in_database(case, "UPDATE model SET state = 'champion', body = :body", body=forged)
    ((namespace,),) = in_database(case, "SELECT namespace FROM model")
    in_database(
        case,
        "INSERT INTO champion (namespace, name, version) VALUES (:n, 'delay', :v)",
        n=namespace,
        v=case.version,
    )
    with served(open_data_plane(case.room, log=False)) as client:
        answer = client.post("/predict/delay", json={"features": {"distance": 1}})
        assert answer.status_code == 503 and "never approved" in answer.json()["error"]
        assert client.get("/v2/health/ready").status_code == 503


def test_no_route_of_the_server_approves(case):
    """Loading takes a role, and what is approved already; there is nothing else to call."""
    route = "/v2/repository/models/delay"
    headers = {name: {"Authorization": f"Bearer {token}"} for name, token in case.tokens.items()}
    with served(open_data_plane(case.room, log=False)) as client:
        statuses = [
            client.post(f"{route}/load", headers=headers[who]).status_code
            for who in ("operator", "gone")
        ]
        assert statuses == [400, 401]
        version = {"parameters": {"version": case.version}}
        asked = client.post(f"{route}/load", json=version, headers=headers["operator"])
        assert asked.status_code == 400 and "not approved" in asked.json()["error"]
        for act in ("approve", "promote", "rollback"):
            assert client.post(f"{route}/{act}", headers=headers["owner"]).status_code == 404
    assert state(case) == "gated"
