"""A reviewer answers over HTTP what a new feature is to one that it looks like."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from fieldhouse.reviews import review_app
from registry.bootstrap import open_registry
from registry.core.published import PublishedView
from registry.core.similarity.values import ValueSketch
from registry.kernel.settings import Settings
from registry.ports import Principal
from registry.service.apply import apply
from tests.definitions import compiled, feature, sql_source
from tests.definitions import view as view_of

TIMES = tuple(datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(40))
VALUES = np.random.default_rng(7).normal(size=(40, 20))
QUERY = "SELECT carrier, at AS event_timestamp, {} FROM flights"
BASE = compiled(
    view_of(feature("mean_delay"), source=sql_source(QUERY.format("delay AS mean_delay")))
)
COPY = view_of(
    feature("cents"), name="copies",
    source=sql_source(QUERY.format("hash(delay) AS cents"), name="copies"),
)  # fmt: skip
BOTH = compiled(*BASE.repository.views, COPY)
Ask = Callable[..., tuple[int, Any]]


def sketched(view: PublishedView, features: Sequence[str]) -> list[ValueSketch]:
    """Values of twenty carriers, a hundred times as large in the copy."""
    scale, keys = (100.0 if view.name == "copies" else 1.0), tuple(range(1, 21))
    return [
        ValueSketch(f"{view.name}:{f}@1", "carrier", keys, TIMES, "number", VALUES * scale)
        for f in features
    ]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Calls a route as somebody, where the mean delay is registered and its copy is proposed."""
    table = {"project": {"namespace": "flights"}, "clock": {"instant": "2013-10-01T12:00:00Z"}}
    registry = open_registry(Settings(tmp_path, None, table, {}), sketches=sketched)
    admin = registry.issue_token(None, Principal("root", frozenset({"admin", "steward"})))
    roles = {"ada": {"author", "steward"}, "bob": {"steward"}, "cy": {"author"}}
    tokens = {
        name: registry.issue_token(admin, Principal(name, frozenset(held)))
        for name, held in roles.items()
    }
    app = httpx.ASGITransport(review_app(registry))

    async def answered(who: str, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {tokens[who]}"} if who else {}
        async with httpx.AsyncClient(transport=app, base_url="http://reviews") as client:
            return await client.request(method, path, headers=headers, **more)

    def call(who: str, method: str, path: str, **more: Any) -> tuple[int, Any]:
        given = asyncio.run(answered(who, method, path, more))
        return given.status_code, given.json()

    _, base = call("ada", "POST", "/proposals", content=msgspec.json.encode(BASE.repository))
    call("bob", "POST", f"/proposals/{base['digest']}/approve", json={})
    apply(registry.context, base["digest"], BASE, Principal("ci", frozenset({"operator"})))
    yield call
    registry.database.close()


def said(answer: str = "distinct") -> dict[str, str]:
    names = {"feature": "copies:cents", "other": "delays:mean_delay"}
    return {**names, "answer": answer, "reason": "it is before tax"}


def test_a_question_is_answered_by_its_reviewer_and_then_it_can_be_approved(ask: Ask) -> None:
    _, copy = ask("ada", "POST", "/proposals", content=msgspec.json.encode(BOTH.repository))
    approve = f"/proposals/{copy['digest']}/approve"
    assert copy["questions"][0]["other"] == "flights/delays:mean_delay@1"
    assert ask("bob", "POST", approve, json={})[0] == 409
    assert ask("ada", "POST", "/answers", json=said())[0] == 403
    assert ask("cy", "POST", "/answers", json=said())[0] == 403
    status, answer = ask("bob", "POST", "/answers", json=said())
    assert (status, answer["kind"], answer["subject"]) == (200, "distinct", "bob")
    assert ask("bob", "POST", approve, json={})[1]["status"] == "approved"


def test_what_nobody_asked_and_what_is_no_answer_is_refused_with_a_reason(ask: Ask) -> None:
    assert ask("bob", "POST", "/answers", json=said())[0] in (404, 409)
    assert ask("", "POST", "/answers", json=said())[0] == 401
    status, body = ask("bob", "POST", "/answers", json=said("perhaps"))
    assert (status, "answer" in body["found"]) == (422, True)
