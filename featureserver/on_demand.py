"""On-demand views at lookup: run the compiled function on the columns it needs. Does no I/O."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from featureserver.answer import INVALID, NULL_VALUE, PRESENT, Block, Column
from featureserver.plan import PlannedFeature, PlannedTransform
from featureserver.values import convert, from_wire, to_wire
from registry.kernel.errors import Invalid

logger = logging.getLogger(__name__)


def run_transform(
    transform: PlannedTransform,
    columns: Mapping[int, Column],
    request: Mapping[str, Sequence[Any]],
    count: int,
) -> Block:
    """The outputs, a column each. A row on which the function fails is INVALID, alone.

    The event time of an output is the oldest of its inputs'.
    """
    given: dict[str, Sequence[Any]] = {
        name: columns[place].values for name, place in transform.inputs
    }
    given.update((name, _typed(name, d, request[name])) for name, d in transform.request_fields)
    results = _results(transform, given, count)
    events = _oldest([columns[place].events for _, place in transform.inputs], count)
    made = [_output(feature, results) for feature in transform.outputs]
    return Block(transform.outputs, [v for v, _ in made], [m for _, m in made], events)


def _typed(name: str, dtype: str, values: Sequence[Any]) -> Sequence[Any]:
    try:
        return convert(convert(list(values), to_wire(dtype)), from_wire(dtype))
    except Invalid as error:
        raise Invalid(f"request field {name!r}: {error.asked}", error.found, error.hint) from error


def _results(
    transform: PlannedTransform, given: dict[str, Sequence[Any]], count: int
) -> list[dict[str, Any] | None]:
    """One dict of outputs per row; None where the function failed."""
    try:
        return _rows(transform, given, count)
    except Exception as error:  # whatever an author's function raises must not end the request
        logger.warning(
            f"on-demand view {transform.name} failed: {error!r}",
            extra={"action": "on_demand:failed", "view": transform.name},
        )
    return [
        _one(transform, {name: [values[row]] for name, values in given.items()})
        for row in range(count)
    ]


def _one(transform: PlannedTransform, given: dict[str, Sequence[Any]]) -> dict[str, Any] | None:
    try:
        return _rows(transform, given, 1)[0]
    except Exception:  # the batch's failure was logged already
        return None


def _rows(
    transform: PlannedTransform, given: dict[str, Sequence[Any]], count: int
) -> list[dict[str, Any] | None]:
    outputs = transform.function(given)
    wire = {f.name: convert(list(outputs[f.name]), to_wire(f.dtype)) for f in transform.outputs}
    if any(len(values) != count for values in wire.values()):
        raise ValueError(f"{transform.name} did not give one value per row")
    return [{name: values[row] for name, values in wire.items()} for row in range(count)]


def _output(
    feature: PlannedFeature, results: list[dict[str, Any] | None]
) -> tuple[list[Any], list[str]]:
    values = [None if row is None else row[feature.name] for row in results]
    statuses = [
        INVALID if row is None else NULL_VALUE if row[feature.name] is None else PRESENT
        for row in results
    ]
    return values, statuses


def _oldest(events: list[Sequence[int]], count: int) -> list[int]:
    return [min(row) for row in zip(*events, strict=True)] if events else [0] * count
