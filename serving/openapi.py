"""The data plane described for other people's tools: one OpenAPI 3.1 document. Serves nothing."""

from typing import Any

_ERROR = {
    "description": "Why not",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_STATUSES = {
    "400": _ERROR, "404": _ERROR, "410": _ERROR, "413": _ERROR, "429": _ERROR, "503": _ERROR,
    "504": _ERROR,
}  # fmt: skip
_DEADLINE = {
    "name": "Fieldhouse-Deadline-Ms",
    "in": "header",
    "description": "milliseconds within which the answer is wanted; 504 after that",
    "schema": {"type": "number", "exclusiveMinimum": 0},
}
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "comes back with the answer; one is made when there is none",
    "schema": {"type": "string", "maxLength": 128},
}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _get(summary: str, schema: str, *captures: str) -> dict[str, Any]:
    responses = {"200": {"description": "OK", "content": _content(schema)}, "404": _ERROR}
    return {
        "get": {
            "summary": summary,
            "parameters": [_path(name) for name in captures],
            "responses": responses,
        }
    }


def _ask(summary: str, body: str, answer: str, *captures: str) -> dict[str, Any]:
    content = _content(body)
    if body == "InferRequest":
        content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    return {
        "post": {
            "summary": summary,
            "parameters": [*(_path(name) for name in captures), _DEADLINE, _REQUEST_ID],
            "requestBody": {"required": True, "content": content},
            "responses": {
                "200": {"description": "OK", "content": _content(answer)},
                **_STATUSES,
            },
        }
    }


def _act(summary: str, body: str, answer: str | None, *captures: str) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "OK"}
    if answer is not None:
        done["content"] = _content(answer)
    return {
        "post": {
            "summary": summary,
            "security": [{"token": []}],
            "parameters": [_path(name) for name in captures],
            "requestBody": {"content": _content(body)},
            "responses": {
                "200": done, "400": _ERROR, "401": _ERROR, "403": _ERROR, "404": _ERROR,
                "409": _ERROR,
            },
        }
    }  # fmt: skip


def _object(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or []}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT: dict[str, Any] = {"type": "string"}
_YES: dict[str, Any] = {"type": "boolean"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_ANY: dict[str, Any] = {}
_ROWS = {"description": "lists, or scalars for one row", "additionalProperties": _ANY}
_TENSOR = _object(
    ["name", "shape", "datatype"],
    name=_TEXT, shape=_list(_WHOLE), datatype=_TEXT, parameters={"type": "object"},
    data={"description": "row major, nested or flat; absent when binary"},
)  # fmt: skip
_METADATA_TENSOR = _object(
    ["name", "shape", "datatype"], name=_TEXT, shape=_list(_WHOLE), datatype=_TEXT
)
_LABEL = _object(
    ["prediction_id", "label"],
    prediction_id=_TEXT, label={"type": ["number", "boolean"]}, row=_WHOLE, at=_TEXT,
)  # fmt: skip

SCHEMAS: dict[str, Any] = {
    "Error": _object(["error"], error=_TEXT),
    "Anything": {"type": "object"},
    "Server": _object(
        ["name", "version", "extensions"], name=_TEXT, version=_TEXT, extensions=_list(_TEXT)
    ),
    "Live": _object(["live"], live=_YES),
    "Ready": _object(["ready"], live=_YES, ready=_YES, name=_TEXT),
    "Models": _object(["models"], models=_list(_TEXT)),
    "Model": _object(
        ["name", "platform", "inputs", "outputs"],
        name=_TEXT, versions=_list(_TEXT), platform=_TEXT, inputs=_list(_METADATA_TENSOR),
        outputs=_list(_METADATA_TENSOR), properties={"additionalProperties": _TEXT},
    ),
    "Statistics": _object(["model_stats"], model_stats=_list({"type": "object"})),
    "InferRequest": _object(
        ["inputs"],
        id=_TEXT, parameters={"type": "object"}, inputs=_list(_TENSOR),
        outputs=_list(_object(["name"], name=_TEXT, parameters={"type": "object"})),
    ),
    "InferResponse": _object(
        ["model_name", "id", "outputs"],
        model_name=_TEXT, model_version=_TEXT, id=_TEXT, parameters={"type": "object"},
        outputs=_list(_TENSOR),
    ),
    "PredictRequest": _object(entities=_ROWS, features=_ROWS, id=_TEXT),
    "PredictResponse": _object(
        ["model", "outputs", "prediction_id", "model_version"],
        model=_TEXT, outputs={"type": "object"}, prediction_id=_TEXT, model_version=_TEXT,
        missing_features=_WHOLE, stale_features=_WHOLE,
        oldest_feature_age_seconds={"type": "number"},
    ),
    "Instances": _object(["instances"], instances=_list(_ANY)),
    "Invocation": _object(
        dataframe_split={"type": "object"}, dataframe_records=_list({"type": "object"}),
        instances=_list(_ANY), inputs=_ANY,
    ),
    "Predictions": _object(["predictions"], predictions=_list(_ANY), parameters={"type": "object"}),
    "IndexRequest": _object(ready=_YES),
    "Index": _list(
        _object(["name", "version", "state"], name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT)
    ),
    "Labels": _object(["model", "labels"], model=_TEXT, labels=_list(_LABEL)),
    "Accepted": _object(["accepted"], model=_TEXT, accepted=_WHOLE),
}  # fmt: skip

_M = "/v2/models/{model}"
_V = _M + "/versions/{version}"
_BOTH = ("model", "version")
_PLAIN = {"200": {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}}
PATHS: dict[str, Any] = {
    "/v2": _get("About the server", "Server"),
    "/v2/": _get("About the server", "Server"),
    "/v2/health/live": _get("Whether the process runs", "Live"),
    "/v2/health/ready": _get("Whether every champion answers; 503 when not", "Ready"),
    "/v2/models": _get("Names of models", "Models"),
    "/v2/models/stats": _get("Counts of every version", "Statistics"),
    _M: _get("A model's inputs, outputs and versions", "Model", "model"),
    _V: _get("A version's inputs and outputs", "Model", *_BOTH),
    _M + "/ready": _get("Whether a model answers", "Ready", "model"),
    _V + "/ready": _get("Whether a version answers", "Ready", *_BOTH),
    _M + "/config": _get("A model's configuration, in Triton's shape", "Anything", "model"),
    _V + "/config": _get("A version's configuration, in Triton's shape", "Anything", *_BOTH),
    _M + "/stats": _get("Counts of a model's versions", "Statistics", "model"),
    _V + "/stats": _get("Counts of one version", "Statistics", *_BOTH),
    _M + "/infer": _ask("Predict, Open Inference V2", "InferRequest", "InferResponse", "model"),
    _V + "/infer": _ask("Predict with one version", "InferRequest", "InferResponse", *_BOTH),
    "/predict/{model}": _ask(
        "Predict from entity keys, features, or both", "PredictRequest", "PredictResponse", "model"
    ),
    "/predict/{model}/versions/{version}": _ask(
        "Predict with one version", "PredictRequest", "PredictResponse", *_BOTH
    ),
    "/v1/models": _get("Names of models", "Models"),
    "/v1/models/{model}": _get("Whether a model answers", "Ready", "model"),
    "/v1/models/{model}:predict": _ask("Predict, KServe V1", "Instances", "Predictions", "model"),
    "/invocations": _ask("Predict, as MLflow and SageMaker ask", "Invocation", "Predictions"),
    "/v2/repository/index": _ask("Versions and their states", "IndexRequest", "Index"),
    "/v2/repository/models/{model}/load": _act("Load now", "Anything", None, "model"),
    "/v2/repository/models/{model}/unload": _act("Serve no more", "Anything", None, "model"),
    "/labels": _act("What turned out to be true", "Labels", "Accepted"),
    "/ping": _get("As /v2/health/ready", "Ready"),
    "/health": _get("As /v2/health/ready", "Ready"),
    "/version": {"get": {"summary": "The version, as text", "responses": _PLAIN}},
    "/metrics": {"get": {"summary": "Prometheus metrics", "responses": _PLAIN}},
    "/openapi.json": _get("This document", "Anything"),
}  # fmt: skip

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Fieldhouse models", "version": "1"},
    "paths": PATHS,
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    },
}
