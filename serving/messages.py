"""What routes take and give: requests, responses, and predictions asked for. No routes here."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from serving.http_errors import JSON, error_body
from serving.loaded import LoadedModel
from serving.predict import Prediction
from serving.tensors import Values

Header = tuple[bytes, bytes]


class Request(msgspec.Struct, frozen=True, eq=False):
    """What a route sees: captures of the path, headers by lower case name, the plain body."""

    path: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Response(msgspec.Struct, frozen=True, eq=False):
    status: int
    body: bytes
    headers: tuple[Header, ...] = (JSON,)

    def with_header(self, name: bytes, value: bytes) -> "Response":
        return Response(self.status, self.body, (*self.headers, (name, value)))


class Asked(msgspec.Struct, frozen=True, eq=False):
    """A prediction that a request asks for, and how its answer is written."""

    model: LoadedModel
    tensors: Mapping[str, Values]
    render: Callable[[Prediction], Response]
    prediction_id: str | None = None
    timeout_seconds: float | None = None


def as_json(value: Any, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(value))


def error_response(status: int, text: str, *headers: Header) -> Response:
    return Response(status, error_body(text), (JSON, *headers))
