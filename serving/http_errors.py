"""Errors as HTTP: one status per class, one body shape, `{"error": text}`, for every route."""

import msgspec

from featureserver.admission import Overloaded
from registry.kernel import errors
from serving.bodies import TooLarge
from serving.predict import Late
from serving.worker.process import ModelFailed

_STATUS: tuple[tuple[type[errors.FieldhouseError], int], ...] = (
    (TooLarge, 413),
    (Overloaded, 429),
    (Late, 504),
    (ModelFailed, 500),
    (errors.NotFound, 404),
    (errors.Gone, 410),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.Conflict, 409),
    (errors.Unavailable, 503),
    (errors.Corrupt, 503),
    (errors.Refused, 409),
    (errors.FieldhouseError, 400),
)
# KServe's client compares the type for equality: no charset may follow.
JSON = (b"content-type", b"application/json")


def status_of(error: errors.FieldhouseError) -> int:
    """The HTTP status of an error's class."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def error_body(text: str) -> bytes:
    return msgspec.json.encode({"error": text})
