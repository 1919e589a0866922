"""What a candidate must reach, as one value that is recorded whole in the report. Pure."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from registry.kernel.errors import Invalid

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The gate's limits.

    Better: `margin` is how much lower the candidate's AUC or accuracy may be than the incumbent's,
    for regression which share of the incumbent's error it may be larger by. `confidence` is
    one-sided. An equally good candidate must pass with `minimum_power` at least, else the held-out
    rows are too few to judge by. A slice fails when it is surely worse by more than `slice_margin`,
    all slices of all columns together at `confidence`.

    Fast: an open-loop load of `rate_per_second` for `seconds`; p50 and p99 must stay below their
    objectives, and below the incumbent's times `slower_ratio` plus `slower_slack_ms`. The first
    request after loading, and those after `idle_seconds` of silence, may take `first_ms`.

    Fits: `growth_requests` requests are sent to see memory grow, and half as many that are refused.
    Over all of them the server may come to hold `max_more_handles` descriptors and threads more.
    """

    margin: float = 0.005
    confidence: float = 0.95
    minimum_positives: int = 200
    minimum_negatives: int = 200
    minimum_rows: int = 400
    minimum_power: float = 0.8
    metric: str = "auto"
    bootstrap_samples: int = 2000
    brier_margin: float = 0.01
    max_calibration_error: float = 0.05
    slice_margin: float = 0.02
    slice_minimum: int = 100
    rate_per_second: float = 200.0
    seconds: float = 2.0
    p50_ms: float = 5.0
    p99_ms: float = 50.0
    slower_ratio: float = 1.5
    slower_slack_ms: float = 1.0
    idle_seconds: float = 0.5
    first_ms: float = 100.0
    max_load_seconds: float = 20.0
    max_peak_bytes: int = 1 << 30
    max_load_peak_over_rest: float = 2.0
    growth_requests: int = 3000
    max_growth_bytes_per_thousand: int = MIB // 4
    max_more_handles: int = 16
    max_cpu_ms: float = 5.0
    tolerance: float = 1e-6
    parity_tolerance: float = 0.0
    seed: int = 7


def read_policy(document: dict[str, Any], **changes: Any) -> GatePolicy:
    """A policy from a TOML table, `changes` on top where they are not None.

    Raises `Invalid` for a key that there is not or a value of the wrong type.
    """
    known = set(GatePolicy.__dataclass_fields__)
    strange = sorted(set(document) - known)
    if strange:
        raise Invalid(
            f"the gate has no limit called {', '.join(strange)}",
            f"known: {', '.join(sorted(known))}",
        )
    try:
        policy = msgspec.convert(document, GatePolicy)
    except msgspec.ValidationError as error:
        raise Invalid("the gate's policy cannot be read", str(error)) from error
    return replace(policy, **{name: value for name, value in changes.items() if value is not None})
