"""The routes that predict: each reads one shape of request and says how to write the answer."""

from typing import Any

import msgspec

from registry.kernel.errors import Invalid
from serving import codecs
from serving.bodies import deflate
from serving.http_errors import JSON
from serving.instances import (
    columns_of_instances,
    columns_of_invocation,
    predictions_of,
    read_object,
)
from serving.loaded import LoadedModel
from serving.messages import Asked, Header, Request, Response, as_json
from serving.predict import Prediction, Predictor, read_values

TARGET_MODEL = "x-amzn-sagemaker-target-model"


def find(predictor: Predictor, request: Request) -> LoadedModel:
    """The model that the path names. Raises `NotFound` or `Unavailable`."""
    return predictor.find(request.path["model"], request.path.get("version"))


def infer(predictor: Predictor, request: Request) -> Asked:
    """Open Inference Protocol V2, JSON and binary tensors."""
    model = find(predictor, request)
    headers = request.headers
    read = codecs.decode_infer(request.body, headers.get(codecs.JSON_LENGTH), model.signature)
    accepted = headers.get("accept-encoding", "")

    def render(answer: Prediction) -> Response:
        return _encoded(codecs.encode_infer(answer, read.outputs), accepted)

    return Asked(model, read.tensors, render, read.id, read.timeout_seconds)


def _encoded(answer: codecs.Encoded, accepted: str) -> Response:
    headers: list[Header] = [JSON]
    if answer.json_length is not None:
        length = str(answer.json_length).encode()
        headers = [
            (b"content-type", b"application/octet-stream"),
            (codecs.JSON_LENGTH.encode(), length),
        ]
    body, encoding = deflate(answer.body, accepted)
    if encoding:
        headers.append((b"content-encoding", encoding.encode()))
    return Response(200, body, tuple(headers))


class _PredictBody(msgspec.Struct, forbid_unknown_fields=True):
    entities: dict[str, Any] = {}
    features: dict[str, Any] = {}
    id: str | None = None


_decode_predict = msgspec.json.Decoder(_PredictBody).decode


def predict(predictor: Predictor, request: Request) -> Asked:
    """`{"entities": {...}, "features": {...}?, "id": ...?}` with lists, or scalars for one row."""
    try:
        body = _decode_predict(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        example = '{"entities": {"driver_id": [1, 2]}}'
        raise Invalid(
            "the body is not a prediction request", str(error), f"send {example}"
        ) from error
    model = find(predictor, request)
    tensors = read_values(model.signature, {**body.entities, **body.features})
    return Asked(model, tensors, _plain, body.id)


def _plain(answer: Prediction) -> Response:
    outputs = {name: values.tolist() for name, values in answer.outputs.items()}
    return as_json({"model": answer.model, "outputs": outputs, **codecs.facts_of(answer)})


def predict_v1(predictor: Predictor, request: Request) -> Asked:
    """KServe V1: `{"instances": [...]}`, each an object or a list of numbers."""
    model = find(predictor, request)
    body = read_object(request.body)
    columns = columns_of_instances(body.get("instances"), model.signature)
    return Asked(model, read_values(model.signature, columns), _predictions)


def invocations(predictor: Predictor, request: Request) -> Asked:
    """MLflow and SageMaker: the one model there is, or the one that a header names."""
    model = predictor.find(_target(predictor, request))
    columns = columns_of_invocation(request.body, model.signature)
    return Asked(model, read_values(model.signature, columns), _predictions)


def _target(predictor: Predictor, request: Request) -> str:
    named = request.headers.get(TARGET_MODEL)
    if named:
        return named
    names = sorted(predictor.router.routes.champions)
    if len(names) != 1:
        raise Invalid(
            f"/invocations asks the only model, and there are {len(names)}",
            f"there are {', '.join(names)}" if names else "",
            f"name one in the header {TARGET_MODEL}, or ask /predict/{{model}}",
        )
    return names[0]


def _predictions(answer: Prediction) -> Response:
    facts = codecs.facts_of(answer)
    return as_json({"predictions": predictions_of(answer.outputs), "parameters": facts})
