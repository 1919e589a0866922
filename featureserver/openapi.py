"""The description of the hot route, which FastAPI does not see, for the OpenAPI document."""

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
        "features": {**_TEXTS, "nullable": True, "description": "view:feature[@version]"},
        "feature_service": {"type": "string", "nullable": True},
        "full_feature_names": {"type": "boolean", "default": False},
        "include_feature_view_version_metadata": {"type": "boolean", "default": False},
    },
    "example": {"feature_service": "flight_delay", "entities": {"origin": ["JFK", "LGA"]}},
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

GET_ONLINE_FEATURES: dict[str, Any] = {
    "post": {
        "summary": "Look features up",
        "description": "`results[i]` belongs to `metadata.feature_names[i]`: entities first, then "
        "features in the order of the request. Deprecated features add the headers Deprecation, "
        "Sunset and Fieldhouse-Deprecated.",
        "operationId": "get_online_features",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST}}},
        "responses": {
            "200": {
                "description": "values, statuses and event times",
                "content": {"application/json": {"schema": _RESPONSE}},
            },
            **dict.fromkeys(("404", "409", "410", "413", "415", "422", "500", "503"), _ERROR),
        },
    }
}
