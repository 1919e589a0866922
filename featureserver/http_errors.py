"""Errors as Feast's server words them: a JSON string whose content is JSON. Chooses the status.

Feast's client imports the class that is named, so only classes that exist in `feast.errors` are
named, and it sends 5xx again three times, so what a caller did wrong is always 4xx.
"""

import json
import math

from featureserver.admission import Overloaded
from featureserver.plan import NameCollision
from registry.kernel import errors

JSON_TYPE = (b"content-type", b"application/json")


class TooLarge(errors.Invalid):
    """The body is longer than the server takes."""


def too_large(most: int) -> TooLarge:
    """The error for a body of more than `most` bytes."""
    return TooLarge(
        "the body is too large", f"this server takes {most} bytes", "ask in smaller batches"
    )


class WrongMethod(errors.Invalid):
    """The route exists for another method."""


class WrongType(errors.Invalid):
    """The body says that it is not JSON."""


class WrongEncoding(errors.Invalid):
    """The body is packed in a way that this server does not read."""


_NOT_FOUND = {
    "feature service": (404, "FeatureServiceNotFoundException"),
    "feature view": (404, "FeatureViewNotFoundException"),
    "push source": (422, "PushSourceNotFoundException"),
}
_BY_CLASS: tuple[tuple[type[errors.FieldhouseError], int, str], ...] = (
    (TooLarge, 413, "FeastError"),
    (WrongMethod, 405, "FeastError"),
    (WrongType, 415, "FeastError"),
    (WrongEncoding, 415, "FeastError"),
    (Overloaded, 429, "FeastError"),
    (NameCollision, 422, "FeatureNameCollisionError"),
    (errors.NotFound, 404, "FeastObjectNotFoundException"),
    (errors.Gone, 410, "FeastObjectNotFoundException"),
    (errors.Unauthorized, 401, "FeastPermissionError"),
    (errors.Forbidden, 403, "FeastPermissionError"),
    (errors.Refused, 409, "FeastError"),
    (errors.Invalid, 422, "FeastError"),
    (errors.Unavailable, 503, "FeastError"),
    (errors.Corrupt, 500, "FeastError"),
    (errors.FieldhouseError, 400, "FeastError"),
)


def describe(error: BaseException) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and headers for an error."""
    if not isinstance(error, errors.FieldhouseError):
        return 500, json.dumps(f"{type(error).__name__}: {error}").encode(), [JSON_TYPE]
    status, name = _chosen(error)
    content = {"module": "feast.errors", "class": name, "message": str(error)}
    headers = [JSON_TYPE]
    if isinstance(error, errors.Unavailable):
        seconds = max(1, math.ceil(error.retry_after_seconds))
        headers.append((b"retry-after", b"%d" % seconds))
    if isinstance(error, errors.Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, WrongMethod):
        headers.append((b"allow", b"POST"))
    return status, json.dumps(json.dumps(content)).encode(), headers


def _chosen(error: errors.FieldhouseError) -> tuple[int, str]:
    if isinstance(error, errors.NotFound) and error.what in _NOT_FOUND:
        return _NOT_FOUND[error.what]
    return next((status, name) for kind, status, name in _BY_CLASS if isinstance(error, kind))
