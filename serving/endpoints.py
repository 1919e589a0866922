"""The routes that tell: about the server, its models and their counts. No prediction, no change."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from registry.kernel.errors import Invalid, NotFound, Unavailable
from serving.asking import find
from serving.loaded import LoadedModel
from serving.messages import Request, Response, as_json
from serving.metrics import ServingTally
from serving.openapi import DOCUMENT
from serving.predict import Predictor
from serving.signature import Input, Output

Endpoint = Callable[[Predictor, Request], Response]


def _version() -> str:
    try:
        return version("fieldhouse")
    except PackageNotFoundError:
        return "0"


SERVER: dict[str, Any] = {
    "name": "fieldhouse",
    "version": _version(),
    "extensions": [
        "binary_tensor_data",
        "parameters",
        "model_repository",
        "model_configuration",
        "statistics",
        "feature_lookup",
    ],
}
_PLATFORMS = {"onnx": "onnx_onnxv1", "xgboost": "xgboost_ubj", "lightgbm": "lightgbm_text"}
_OPENAPI = msgspec.json.encode(DOCUMENT)


def server_metadata(predictor: Predictor, request: Request) -> Response:
    return as_json(SERVER)


def server_version(predictor: Predictor, request: Request) -> Response:
    return Response(200, SERVER["version"].encode(), ((b"content-type", b"text/plain"),))


def openapi(predictor: Predictor, request: Request) -> Response:
    return Response(200, _OPENAPI)


def live(predictor: Predictor, request: Request) -> Response:
    return as_json({"live": True})


def ready(predictor: Predictor, request: Request) -> Response:
    """200 when every model that has a champion answers; clients read the fields or the status."""
    silent = predictor.router.routes.silent()
    if silent:
        body = {"live": True, "ready": False, "error": f"not loaded: {', '.join(silent)}"}
        return as_json(body, 503)
    return as_json({"live": True, "ready": True})


def list_models(predictor: Predictor, request: Request) -> Response:
    return as_json({"models": sorted(predictor.router.routes.models)})


def model_metadata(predictor: Predictor, request: Request) -> Response:
    model = find(predictor, request)
    versions = sorted(predictor.router.routes.models[model.name])
    return as_json(
        {
            "name": model.name,
            "versions": versions,
            "platform": _platform(model),
            "inputs": [_tensor(tensor) for tensor in model.signature.inputs],
            "outputs": [_tensor(tensor) for tensor in model.signature.outputs],
            "properties": _properties(model),
        }
    )


def _platform(model: LoadedModel) -> str:
    return _PLATFORMS.get(model.manifest.model.format, model.manifest.model.format)


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


def model_config(predictor: Predictor, request: Request) -> Response:
    """Triton's model configuration, as far as it says something here."""
    model = find(predictor, request)
    return as_json(
        {
            "name": model.name,
            "platform": _platform(model),
            "backend": model.manifest.model.format,
            "max_batch_size": 0,
            "version_policy": {"specific": {"versions": [model.version]}},
            "input": [_configured(tensor) for tensor in model.signature.inputs],
            "output": [_configured(tensor) for tensor in model.signature.outputs],
            "parameters": {
                name: {"string_value": value} for name, value in _properties(model).items()
            },
        }
    )


def _configured(tensor: Input | Output) -> dict[str, Any]:
    datatype = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
    found: dict[str, Any] = {
        "name": tensor.name,
        "data_type": f"TYPE_{datatype}",
        "dims": list(tensor.shape),
    }
    if isinstance(tensor, Input):
        found["optional"] = tensor.kind != "feature" or tensor.ref is not None
    return found


def model_stats(predictor: Predictor, request: Request) -> Response:
    """Triton's statistics of one model, or of one of its versions, over all workers."""
    model = find(predictor, request)
    found = [model]
    if "version" not in request.path:
        found = list(predictor.router.routes.models[model.name].values())
    tally = predictor.metrics.total()
    return as_json({"model_stats": [_stats(tally, one) for one in found]})


def all_stats(predictor: Predictor, request: Request) -> Response:
    tally, models = predictor.metrics.total(), predictor.router.routes.all()
    return as_json({"model_stats": [_stats(tally, model) for model in models]})


def _stats(tally: ServingTally, model: LoadedModel) -> dict[str, Any]:
    stats = tally.of(model.name, model.version)
    inferring = stats.seconds - stats.lookup_seconds
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": int(stats.last_at * 1000),
        "inference_count": stats.rows,
        "execution_count": stats.requests,
        "inference_stats": {
            "success": _duration(stats.requests, stats.seconds),
            "fail": _duration(stats.failures, 0.0),
            "queue": _duration(stats.requests, 0.0),
            "compute_input": _duration(stats.requests, stats.lookup_seconds),
            "compute_infer": _duration(stats.requests, inferring),
            "compute_output": _duration(stats.requests, 0.0),
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * 1e9)}


def model_ready(predictor: Predictor, request: Request) -> Response:
    name = request.path["model"]
    try:
        find(predictor, request)
    except (NotFound, Unavailable) as error:
        status = 404 if isinstance(error, NotFound) else 503
        return as_json({"name": name, "ready": False, "error": str(error)}, status)
    return as_json({"name": name, "ready": True})


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
