"""Proposals over HTTP: list, show, propose, approve, reject, answer. Joins use cases to routes.

Closed by default: every route needs a token, reading too. Nothing is applied here: that takes an
operator's command, or a merge.
"""

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from registry.adapters.forge import MOST_BYTES
from registry.bootstrap import SqlRegistry
from registry.cli.proposals import proposal_document
from registry.core.compile import compile_repository
from registry.core.definitions import Repository
from registry.core.similarity.likeness import AnswerKind
from registry.kernel import errors
from registry.kernel.output import plain
from registry.ports import Principal
from registry.service import propose as use
from registry.service.answers import MAX_NAME, MAX_REASON
from registry.service.answers import answer as keep
from registry.service.check import CheckFailed

Token = Annotated[str | None, Header(include_in_schema=False)]
_STATUS: tuple[tuple[type[errors.FieldhouseError], int], ...] = (
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Refused, 409),
    (errors.Invalid, 422),
    (errors.Misuse, 422),
    (errors.Unavailable, 503),
)


class Approve(BaseModel):
    """What an approver says."""

    comment: str = Field("", max_length=2000)


class Reject(BaseModel):
    """Why a proposal is closed."""

    reason: str = Field(min_length=1, max_length=2000)


class AnswerAbout(BaseModel):
    """What a reviewer says of two features that look alike, named in either order."""

    feature: str = Field(min_length=1, max_length=MAX_NAME)
    other: str = Field(min_length=1, max_length=MAX_NAME)
    answer: AnswerKind
    reason: str = Field(min_length=1, max_length=MAX_REASON)


def review_app(registry: SqlRegistry) -> FastAPI:
    """The application over an open registry. Who proposes never approves, by this route neither."""
    app = FastAPI(title="Fieldhouse reviews", version="1")
    context = registry.context

    def standing_of(digest: str) -> dict[str, Any]:
        with context.store.read() as transaction:
            return shown(use.standing(context, transaction, transaction.proposal(digest)))

    @app.get("/proposals", summary="What waits for approval, or to be applied")
    def list_(authorization: Token = None) -> list[dict[str, Any]]:
        registry.authority(bearer(authorization))
        with context.store.read() as transaction:
            pending = transaction.pending(registry.namespace)
            return [shown(use.standing(context, transaction, one)) for one in pending]

    @app.get("/proposals/{digest}", summary="One proposal: its changes and what it lacks")
    def show(digest: str, authorization: Token = None) -> dict[str, Any]:
        registry.authority(bearer(authorization))
        return standing_of(digest)

    @app.post(
        "/proposals", summary="Put definitions forward: a repository as `pr definitions` has it"
    )
    async def propose(request: Request, authorization: Token = None) -> dict[str, Any]:
        body = await _body(request)
        return await run_in_threadpool(put_forward, body, bearer(authorization))

    def put_forward(body: bytes, token: str | None) -> dict[str, Any]:
        principal = registry.authority(token, "author")
        repository = _repository(body, registry.namespace)
        return shown(use.propose(context, compile_repository(repository), principal))

    @app.post("/proposals/{digest}/approve", summary="Consent to exactly that plan")
    def approve(digest: str, body: Approve, authorization: Token = None) -> dict[str, Any]:
        principal = registry.authority(bearer(authorization))
        return shown(use.approve(context, whole(digest), principal, body.comment))

    @app.post("/proposals/{digest}/reject", summary="Close a proposal for good")
    def reject(digest: str, body: Reject, authorization: Token = None) -> dict[str, Any]:
        principal: Principal = registry.authority(bearer(authorization))
        rejected = use.reject(context, whole(digest), principal, body.reason)
        return {"digest": rejected.digest, "status": rejected.status}

    @app.post("/answers", summary="Say what a feature is to another that it looks like")
    def answer(body: AnswerAbout, authorization: Token = None) -> dict[str, Any]:
        principal: Principal = registry.authority(bearer(authorization))
        names = (body.feature, body.other)
        made = keep(context, registry.namespace, names, body.answer, body.reason, principal)
        said: dict[str, Any] = plain(made)
        return said

    app.add_exception_handler(errors.FieldhouseError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_body)
    return app


def shown(stands: use.Standing) -> dict[str, Any]:
    """A proposal as JSON-able data."""
    made: dict[str, Any] = plain(proposal_document(stands))
    return made


def whole(digest: str) -> str:
    """The digest, which consent must name in full; raises `Invalid` for a shortened one."""
    if len(digest.removeprefix("sha256:")) != _DIGITS:
        raise errors.Invalid(
            f"{digest} is not a whole digest", "consent is to one plan", "give all 64 digits"
        )
    return digest


def bearer(authorization: str | None) -> str | None:
    """The token in an Authorization header, None when there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def _body(request: Request) -> bytes:
    """All of the body. Raises `Invalid` as soon as it is longer than is read."""
    held = bytearray()
    async for part in request.stream():
        held += part
        if len(held) > MOST_BYTES:
            raise errors.Invalid("the body is too large", f"at most {MOST_BYTES} bytes are read")
    return bytes(held)


def _repository(body: bytes, namespace: str) -> Repository:
    try:
        repository = msgspec.json.decode(body, type=Repository)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise errors.Invalid("the body is no repository", str(error)) from error
    if repository.namespace != namespace:
        raise errors.Invalid(
            f"the definitions are of namespace {repository.namespace}", f"this is {namespace}"
        )
    return repository


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.FieldhouseError)
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), 500)
    body = {"error": error.kind, "asked": error.asked, "found": error.found, "hint": error.hint}
    if isinstance(error, CheckFailed):
        body["findings"] = plain(error.checked.findings)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(body, status, headers)


async def _refuse_body(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
    body = {"error": "Invalid", "asked": "the body is not what this takes", "found": found}
    return JSONResponse(body, 422)


_DIGITS = 64
