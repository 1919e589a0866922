"""The descriptions of the plain routes, which FastAPI does not see, for the OpenAPI document."""

from typing import Any

_ERROR = {
    "description": "Feast's error format: a JSON string whose content is JSON with module, class "
    "and message",
    "content": {
        "application/json": {
            "schema": {"type": "string"},
            "example": '{"module": "feast.errors", "class": "FeatureServiceNotFoundException", '
            '"message": "there is no feature service \'flight_delays\'"}',
        }
    },
}
WRITE_ERRORS: dict[int | str, dict[str, Any]] = dict.fromkeys(
    (400, 401, 403, 404, 405, 409, 410, 422, 500, 503), _ERROR
)
_BUSY: dict[str, Any] = {
    "description": "refused as things stand, or a materialization is under way",
    "content": {"application/json": {"schema": {"type": ["string", "object"]}}},
}
MATERIALIZE_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"description": "accepted, with async=true"},
    409: _BUSY,
}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_STATUSES = ["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE", "INVALID"]
_REQUEST = {
    "type": "object",
    "required": ["entities"],
    "properties": {
        "entities": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {}},
            "description": "join keys and request fields, each a list of one value per row",
        },
        "features": {
            "type": ["array", "null"],
            "items": {"type": "string"},
            "description": "view:feature[@version]",
        },
        "feature_service": {"type": ["string", "null"]},
        "full_feature_names": {"type": "boolean", "default": False},
        "include_feature_view_version_metadata": {"type": "boolean", "default": False},
    },
}
_RESPONSE = {
    "type": "object",
    "required": ["results", "metadata"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "values": {"type": "array", "items": {}},
                    "statuses": {"type": "array", "items": {"type": "string", "enum": _STATUSES}},
                    "event_timestamps": {
                        "type": "array",
                        "items": {"type": "string", "format": "date-time"},
                    },
                },
            },
        },
        "metadata": {
            "type": "object",
            "properties": {
                "feature_names": _TEXTS,
                "feature_view_metadata": {"type": "array", "items": {"type": "object"}},
            },
        },
    },
}

_EXAMPLE_ANSWER = {
    "results": [
        {
            "values": ["JFK", "LGA"],
            "statuses": ["PRESENT", "PRESENT"],
            "event_timestamps": ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"],
        },
        {
            "values": [11.5, None],
            "statuses": ["PRESENT", "NOT_FOUND"],
            "event_timestamps": ["2013-10-01T11:00:00Z", "1970-01-01T00:00:00Z"],
        },
    ],
    "metadata": {"feature_names": ["origin", "wind_speed"]},
}
_REQUEST_EXAMPLES = {
    "service": {
        "summary": "a feature service",
        "value": {"feature_service": "flight_delay", "entities": {"origin": ["JFK", "LGA"]}},
    },
    "references": {
        "summary": "features by reference, full names in the answer",
        "value": {
            "features": ["airport_weather:wind_speed", "airport_weather:visibility"],
            "entities": {"origin": ["JFK"]},
            "full_feature_names": True,
        },
    },
}
_HEADERS: dict[str, Any] = {
    name: {"schema": {"type": "string"}, "description": told}
    for name, told in {
        "X-Request-Id": "the caller's own, or one made here",
        "Deprecation": "RFC 9745, when a deprecated feature is served",
        "Sunset": "RFC 8594, the first one",
        "Fieldhouse-Deprecated": "each deprecated feature and what replaces it",
        "Fieldhouse-Registry-Silent-Since": "the registry has not answered since then",
        "Fieldhouse-Degraded": "Redis does not answer; all values are defaults, by policy",
    }.items()
}


def _header(name: str, told: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": told,
        "schema": {"type": "string", **schema},
    }


GET_ONLINE_FEATURES: dict[str, Any] = {
    "post": {
        "summary": "Look features up",
        "description": "`results[i]` belongs to `metadata.feature_names[i]`: entities first, then "
        "features in the order of the request. A body in gzip says so in `Content-Encoding`.",
        "operationId": "get_online_features",
        "parameters": [
            _header("X-Request-Id", "echoed in the answer and written in logs"),
            _header("Fieldhouse-Caller", "who asks, for counts of use; else User-Agent's first"),
            _header("Fieldhouse-Feast-Answers", "answer as Feast does", enum=["true", "false"]),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _REQUEST, "examples": _REQUEST_EXAMPLES}},
        },
        "responses": {
            "200": {
                "description": "values, statuses and event times",
                "headers": _HEADERS,
                "content": {
                    "application/json": {"schema": _RESPONSE, "example": _EXAMPLE_ANSWER},
                    "application/vnd.apache.arrow.stream": {
                        "schema": {"type": "string", "format": "binary"}
                    },
                },
            },
            **dict.fromkeys(
                ("404", "405", "409", "410", "413", "415", "422", "429", "500", "503"), _ERROR
            ),
        },
    }
}
_READY = {
    "type": "object",
    "required": ["ready"],
    "properties": {
        "ready": {"type": "boolean"},
        "published": {"type": ["integer", "null"]},
        "published_age_seconds": {"type": ["number", "null"]},
        "registry_silent_since": {"type": ["string", "null"], "format": "date-time"},
        "reason": {"type": "string"},
    },
}
_EMPTY = {"description": "no body"}


def _get(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": responses}}


_READY_ANSWER = {
    "description": "whether lookups can be answered, and why not",
    "content": {"application/json": {"schema": _READY}},
}
PLAIN_ROUTES: dict[str, Any] = {
    "/get-online-features": GET_ONLINE_FEATURES,
    "/health": _get(
        "200 when lookups can be answered, else 503; no body", {"200": _EMPTY, "503": _EMPTY}
    ),
    "/health/live": _get("200 while the process runs", {"200": _EMPTY}),
    "/health/ready": _get(
        "Whether lookups can be answered, and why not",
        {"200": _READY_ANSWER, "503": _READY_ANSWER},
    ),
    "/metrics": _get(
        "Prometheus metrics of all workers",
        {"200": {"description": "text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    ),
}
