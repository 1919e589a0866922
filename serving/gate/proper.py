"""Proper? Golden answers, types, shapes, range, repeatability; a row alone is as in a batch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.bundle import Golden
from serving.gate.client import Answer, ModelClient
from serving.gate.policy import GatePolicy
from serving.gate.report import Check, attempt
from serving.signature import Output, Signature
from serving.tensors import Array

QUESTION = "proper?"
_ALONE = 24  # rows asked one by one
_CROWD_ROWS = 1024
_CROWD_BYTES = 4 << 20
Floats = NDArray[np.float64]


def check_answers(
    client: ModelClient, golden: Golden, probes: Floats, signature: Signature, policy: GatePolicy
) -> list[Check]:
    """All of this module's checks. `probes` float64 [n, width] are realistic rows to ask about."""
    questions = {
        "proper.golden": lambda: check_golden(client.infer(golden.rows).outputs, golden, policy),
        "proper.declared": lambda: check_declared(client.infer(probes), signature, len(probes)),
        "proper.range": lambda: check_range(client.infer(probes, binary=True).outputs, signature),
        "proper.repeats": lambda: check_repeats(client, probes),
        "proper.alone": lambda: check_alone(client, probes, policy),
        "proper.binary": lambda: check_binary(client, probes),
    }
    return [check for name, ask in questions.items() for check in attempt(name, QUESTION, ask)]


def check_golden(outputs: Mapping[str, Array], golden: Golden, policy: GatePolicy) -> Check:
    """The golden rows give the golden answers, as far as single precision can tell."""
    worst = max(
        (distance(outputs[name], expected) for name, expected in golden.outputs.items()),
        default=float("nan"),
    )
    passed = worst <= policy.tolerance
    message = f"{len(golden.rows)} golden rows; the largest difference is {worst:.3g}"
    return Check(
        "proper.golden", QUESTION, passed, message, {"worst": worst, "rows": len(golden.rows)}
    )


def check_declared(answer: Answer, signature: Signature, rows: int) -> Check:
    """Every declared output is there, with its datatype and shape."""
    wrong = []
    for output in signature.outputs:
        expected = (output.datatype, (rows, *output.shape[1:]))
        found = answer.declared.get(output.name)
        if found != expected:
            wrong.append(f"{output.name} is {found}, declared {expected}")
    if answer.message.get("model_name") is None or not answer.message.get("id"):
        wrong.append("the response lacks model_name or id")
    message = "; ".join(wrong) or "datatypes and shapes are as declared"
    return Check("proper.declared", QUESTION, not wrong, message)


def check_range(outputs: Mapping[str, Array], signature: Signature) -> Check:
    """Every number is finite and lies in the declared range."""
    wrong: dict[str, int] = {}
    for output in signature.outputs:
        bad = int(_out_of_range(outputs[output.name], output).sum())
        if bad:
            wrong[output.name] = bad
    message = "; ".join(f"{bad} values of {name} are outside" for name, bad in wrong.items())
    return Check(
        "proper.range", QUESTION, not wrong, message or "finite and in range", {"outside": wrong}
    )


def _out_of_range(values: Array, output: Output) -> NDArray[np.bool_]:
    if values.dtype.kind not in "fiu":
        return np.zeros(values.shape, bool)
    low = -np.inf if output.low is None else output.low
    high = np.inf if output.high is None else output.high
    outside: NDArray[np.bool_] = ~np.isfinite(values) | (values < low) | (values > high)
    return outside


def check_repeats(client: ModelClient, probes: Floats) -> Check:
    """The same rows give the same bits, three times."""
    first, *others = (client.infer(probes, binary=True).outputs for _ in range(3))
    same = all(identical(first[name], other[name]) for other in others for name in first)
    return Check("proper.repeats", QUESTION, same, "the same each time" if same else "answers vary")


def check_alone(client: ModelClient, probes: Floats, policy: GatePolicy) -> Check:
    """A row asked alone gets the answer that it gets in any batch, wherever in it it stands.

    The batches are the rows, the rows from behind, and a large one in which each stands many times
    by chance, since a model may part what is large among threads.
    """
    probes = probes[:_ALONE]
    together = client.infer(probes, binary=True).outputs
    turned = client.infer(probes[::-1], binary=True).outputs
    size = min(_CROWD_ROWS, max(2 * len(probes), _CROWD_BYTES // (8 * probes.shape[1])))
    places = np.random.default_rng(policy.seed).integers(0, len(probes), size)
    crowd = client.infer(probes[places], binary=True).outputs
    worst = 0.0
    for name, batch in together.items():
        alone = [client.infer(row[None], binary=True).outputs[name] for row in probes]
        worst = max(
            worst,
            distance(np.concatenate(alone), batch),
            distance(turned[name][::-1], batch),
            distance(crowd[name], batch[places]),
        )
    passed = worst <= policy.tolerance
    message = (
        f"{len(probes)} rows alone and in three batches; the largest difference is {worst:.3g}"
    )
    return Check("proper.alone", QUESTION, passed, message, {"worst": worst})


def check_binary(client: ModelClient, probes: Floats) -> Check:
    """JSON and binary tensors give the same numbers."""
    text, binary = client.infer(probes).outputs, client.infer(probes, binary=True).outputs
    same = all(identical(text[name], binary[name]) for name in binary)
    return Check("proper.binary", QUESTION, same, "JSON equals binary" if same else "they differ")


def identical(left: Array, right: Array) -> bool:
    """The same shape and bits, missing values in the same places."""
    floating = left.dtype.kind == "f"
    return left.shape == right.shape and bool(np.array_equal(left, right, equal_nan=floating))


def distance(left: Any, right: Any) -> float:
    """The largest difference, relative above 1; infinite when shapes or missing values differ."""
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    present = ~np.isnan(a)
    gaps = np.abs(a[present] - b[present]) / np.maximum(1.0, np.abs(b[present]))
    return float(gaps.max(initial=0.0))
