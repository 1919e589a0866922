"""Rows as V1, MLflow and SageMaker clients send them, turned into named columns. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from registry.kernel.errors import Invalid
from serving.signature import Signature
from serving.tensors import Array

_SHAPES = ("dataframe_split", "dataframe_records", "instances", "inputs")


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; raises `Invalid`."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("the body is not a JSON object", str(error)) from error


def columns_of_instances(instances: Any, signature: Signature) -> dict[str, list[Any]]:
    """Columns by name of a list of rows: objects, or lists of numbers in the model's order."""
    if not isinstance(instances, list) or not instances:
        raise Invalid("instances must be a list of at least one row")
    if all(isinstance(row, dict) for row in instances):
        return _transposed(instances)
    if all(isinstance(row, list) for row in instances):
        return _numbered(instances, signature)
    raise Invalid("instances must be all objects, or all lists of numbers")


def _transposed(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = list(rows[0])
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise Invalid(f"row {number} has {', '.join(row)}", f"row 0 has {', '.join(names)}")
    return {name: [row[name] for row in rows] for name in names}


def _numbered(rows: Sequence[Sequence[Any]], signature: Signature) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for number, row in enumerate(rows):
        if len(row) != signature.width:
            raise Invalid(
                f"row {number} has {len(row)} values", f"the model takes {signature.width}"
            )
    at = 0
    for tensor in signature.columns:
        if len(tensor.shape) == 1:
            found[tensor.name] = [row[at] for row in rows]
        else:
            found[tensor.name] = [list(row[at : at + tensor.width]) for row in rows]
        at += tensor.width
    return found


def columns_of_invocation(body: bytes, signature: Signature) -> dict[str, list[Any]]:
    """Columns by name of an `/invocations` body in any of MLflow's four shapes."""
    found = read_object(body)
    shapes = [name for name in _SHAPES if name in found]
    if len(shapes) != 1:
        raise Invalid("the body must have one of these keys", ", ".join(_SHAPES))
    (shape,) = shapes
    rows = found[shape]
    if shape == "dataframe_split":
        return _split(rows)
    if shape == "inputs" and isinstance(rows, dict):
        return {name: v if isinstance(v, list) else [v] for name, v in rows.items()}
    return columns_of_instances(rows, signature)


def _split(frame: Any) -> dict[str, list[Any]]:
    if not isinstance(frame, dict) or not isinstance(frame.get("columns"), list):
        raise Invalid("dataframe_split must have columns and data")
    columns, data = frame["columns"], frame.get("data")
    if not isinstance(data, list) or not data:
        raise Invalid("dataframe_split must have at least one row of data")
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            raise Invalid(f"row {number} does not have {len(columns)} values")
    return {str(name): [row[i] for row in data] for i, name in enumerate(columns)}


def predictions_of(outputs: Mapping[str, Array]) -> list[Any]:
    """One value a row, or an object a row when the model has several outputs."""
    if len(outputs) == 1:
        (only,) = outputs.values()
        values: list[Any] = only.tolist()
        return values
    columns = {name: values.tolist() for name, values in outputs.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
