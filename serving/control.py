"""The routes that change something: load, unload, labels. Each needs a token with a role."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from registry.kernel.errors import Invalid, Refused, Unauthorized
from registry.ports import Authority, Principal
from serving.instances import read_object
from serving.labels import LabelBook, read_labels
from serving.messages import Request, Response, as_json

RELEASERS = ("operator", "owner", "reliability")
LABELLERS = ("operator", "owner", "author")


class Repository(Protocol):
    """What of this server's models can be changed while it runs."""

    def load(self, name: str, version: str | None = None) -> None:
        """Load what is approved of a model, now. Raises `NotFound`, `Invalid`, `Unavailable`."""
        ...

    def unload(self, name: str) -> None:
        """Serve nothing of this name until it is loaded again. Raises `NotFound`."""
        ...


@dataclass(frozen=True, slots=True)
class Control:
    """What the changing routes act on. A server of fixed models has no repository."""

    authority: Authority
    labels: LabelBook
    repository: Repository | None = None


@dataclass(frozen=True, slots=True)
class Acting:
    """A route that acts for somebody who has one of `roles`."""

    act: Callable[[Control, Principal, Request], Response]
    roles: tuple[str, ...]


def act(route: Acting, control: Control | None, request: Request) -> Response:
    """Check the token, then act. Blocks: never call it on an event loop."""
    if control is None:
        raise Refused("this server takes no changes", "it was made without a registry")
    return route.act(control, control.authority(_bearer(request), *route.roles), request)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("this route needs a token", "send Authorization: Bearer <token>")
    return token.strip()


def load(control: Control, by: Principal, request: Request) -> Response:
    """Triton's repository load; parameter `version` asks that this version be loaded."""
    parameters = _parameters(request.body)
    version = parameters.get("version")
    if version is not None and not isinstance(version, str):
        raise Invalid(f"parameter version is {version!r}", "it must be text")
    _repository(control).load(request.path["model"], version)
    return Response(200, b"")


def unload(control: Control, by: Principal, request: Request) -> Response:
    _parameters(request.body)
    _repository(control).unload(request.path["model"])
    return Response(200, b"")


def _parameters(body: bytes) -> dict[str, Any]:
    found = read_object(body).get("parameters") or {} if body.strip() else {}
    if not isinstance(found, dict):
        raise Invalid("parameters must be an object")
    return found


def _repository(control: Control) -> Repository:
    if control.repository is None:
        raise Refused("this server serves fixed models", "it was started with their versions")
    return control.repository


def add_labels(control: Control, by: Principal, request: Request) -> Response:
    model, labels = read_labels(request.body)
    return as_json({"model": model, "accepted": control.labels.add(model, labels, by.subject)})


LOAD = Acting(load, RELEASERS)
UNLOAD = Acting(unload, RELEASERS)
ADD_LABELS = Acting(add_labels, LABELLERS)
