"""The routes of the data plane as plain functions: a request in, a response out. No model logic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from registry.kernel.errors import Invalid, NotFound, Unavailable
from serving import codecs
from serving.bodies import deflate
from serving.http_errors import JSON, error_body
from serving.loaded import LoadedModel
from serving.predict import Predictor
from serving.signature import Input, Output

SERVER = {
    "name": "fieldhouse",
    "version": "0.1.0",
    "extensions": ["binary_tensor_data", "parameters", "model_repository", "feature_lookup"],
}
_PLATFORMS = {"onnx": "onnx_onnxv1", "xgboost": "xgboost_ubj", "lightgbm": "lightgbm_text"}
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What a route sees: captures of the path, headers by lower case name, the plain body."""

    path: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: tuple[Header, ...] = (JSON,)


Endpoint = Callable[[Predictor, Request], Response]


def as_json(value: Any, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(value))


def server_metadata(predictor: Predictor, request: Request) -> Response:
    return as_json(SERVER)


def live(predictor: Predictor, request: Request) -> Response:
    return as_json({"live": True})


def ready(predictor: Predictor, request: Request) -> Response:
    """200 when every model that has a champion answers; clients read the fields or the status."""
    silent = predictor.router.routes.silent()
    if silent:
        body = {"live": True, "ready": False, "error": f"not loaded: {', '.join(silent)}"}
        return as_json(body, 503)
    return as_json({"live": True, "ready": True})


def model_metadata(predictor: Predictor, request: Request) -> Response:
    model = _find(predictor, request)
    versions = sorted(predictor.router.routes.models[model.name])
    return as_json(
        {
            "name": model.name,
            "versions": versions,
            "platform": _PLATFORMS.get(model.manifest.model.format, model.manifest.model.format),
            "inputs": [_tensor(tensor) for tensor in model.signature.inputs],
            "outputs": [_tensor(tensor) for tensor in model.signature.outputs],
            "properties": _properties(model),
        }
    )


def _tensor(tensor: Input | Output) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _properties(model: LoadedModel) -> dict[str, str]:
    keys = [tensor.name for tensor in model.signature.keys]
    optional = [tensor.name for tensor in model.signature.columns if tensor.ref is not None]
    facts = {
        "bundle_digest": model.digest,
        "answered_version": model.version,
        "feature_service": model.manifest.service,
        "lookup_keys": ",".join(keys),
        "looked_up_when_not_sent": ",".join(optional),
    }
    return {name: value for name, value in facts.items() if value}


def model_ready(predictor: Predictor, request: Request) -> Response:
    name = request.path["model"]
    try:
        _find(predictor, request)
    except (NotFound, Unavailable) as error:
        status = 404 if isinstance(error, NotFound) else 503
        return as_json({"name": name, "ready": False, "error": str(error)}, status)
    return as_json({"name": name, "ready": True})


def infer(predictor: Predictor, request: Request) -> Response:
    model = _find(predictor, request)
    asked = codecs.decode_infer(
        request.body, request.headers.get(codecs.JSON_LENGTH), model.signature
    )
    answer = codecs.encode_infer(predictor.answer(model, asked.tensors, asked.id), asked.outputs)
    body, encoding = deflate(answer.body, request.headers.get("accept-encoding", ""))
    headers: list[Header] = [JSON]
    if answer.json_length is not None:
        length = str(answer.json_length).encode()
        headers = [
            (b"content-type", b"application/octet-stream"),
            (codecs.JSON_LENGTH.encode(), length),
        ]
    if encoding:
        headers.append((b"content-encoding", encoding.encode()))
    return Response(200, body, tuple(headers))


class _PredictBody(msgspec.Struct, forbid_unknown_fields=True):
    entities: dict[str, Any] = {}
    features: dict[str, Any] = {}
    id: str | None = None


_decode_predict = msgspec.json.Decoder(_PredictBody).decode


def predict(predictor: Predictor, request: Request) -> Response:
    """`{"entities": {...}, "features": {...}?, "id": ...?}` with lists, or scalars for one row."""
    try:
        body = _decode_predict(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        example = '{"entities": {"driver_id": [1, 2]}}'
        raise Invalid(
            "the body is not a prediction request", str(error), f"send {example}"
        ) from error
    answer = predictor.predict(
        request.path["model"],
        {**body.entities, **body.features},
        version=request.path.get("version"),
        prediction_id=body.id,
    )
    outputs = {name: values.tolist() for name, values in answer.outputs.items()}
    return as_json({"model": answer.model, "outputs": outputs, **codecs.facts_of(answer)})


def repository_index(predictor: Predictor, request: Request) -> Response:
    """Every version that is loaded or should be; body `{"ready": true}` leaves out the others."""
    routes = predictor.router.routes
    entries = [
        {"name": m.name, "version": m.version, "state": "READY", "reason": ""} for m in routes.all()
    ]
    if not _wants_ready_only(request.body):
        entries += [
            {"name": name, "version": version, "state": "UNAVAILABLE", "reason": reason}
            for (name, version), reason in routes.failed.items()
        ]
    return as_json(entries)


def _wants_ready_only(body: bytes) -> bool:
    if not body.strip():
        return False
    try:
        return bool(msgspec.json.decode(body, type=dict[str, Any]).get("ready", False))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid('the body is not {"ready": true}', str(error)) from error


def metrics(predictor: Predictor, request: Request) -> Response:
    kind = b"text/plain; version=0.0.4; charset=utf-8"
    return Response(200, predictor.metrics.text(), ((b"content-type", kind),))


def _find(predictor: Predictor, request: Request) -> LoadedModel:
    return predictor.find(request.path["model"], request.path.get("version"))


def error_response(status: int, text: str, *headers: Header) -> Response:
    return Response(status, error_body(text), (JSON, *headers))


_MODEL = "/v2/models/{model}"
_VERSION = _MODEL + "/versions/{version}"
ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", _MODEL + "/infer", infer),
    ("POST", _VERSION + "/infer", infer),
    ("POST", "/predict/{model}", predict),
    ("POST", "/predict/{model}/versions/{version}", predict),
    ("GET", "/v2", server_metadata),
    ("GET", "/v2/", server_metadata),
    ("GET", "/v2/health/live", live),
    ("GET", "/v2/health/ready", ready),
    ("GET", _MODEL, model_metadata),
    ("GET", _VERSION, model_metadata),
    ("GET", _MODEL + "/ready", model_ready),
    ("GET", _VERSION + "/ready", model_ready),
    ("POST", "/v2/repository/index", repository_index),
    ("GET", "/metrics", metrics),
)
