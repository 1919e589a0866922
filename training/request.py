"""What may be asked of a build beside its spine and features, and the spec that it makes. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypedDict

from registry.core.definitions import Expectation
from registry.kernel.errors import Misuse, nearest_names
from training.maturity import Immature, Maturity
from training.served import AsServed, schedule
from training.spec import TrainingSpec
from training.splits import Splits


class Options(TypedDict, total=False):
    """The options of `build_training_set`.

    - `splits`: parts by time or group (`split_by_time`, `split_by_group`).
    - `time_zone`: that of spine times without one; UTC unless said.
    - `as_of`: holds created times against this aware instant instead of each row's time.
    - `as_served`: values as of the last materialization before the row: True (the project's
      interval), a timedelta (another interval) or an `AsServed`.
    - `label_delay`: timedelta or seconds after a row's time until its label is known.
    - `label_known_at`: the spine's column that says when, instead of a delay.
    - `immature`: what happens to rows whose label is not known yet: "leave-out" or "refuse".
    - `expectations`: what the built set must hold (`expect.not_null(...)` and the like).
    - `full_feature_names`: calls every feature column `view__feature`.
    - `allow_deprecated`: the reason for using deprecated features all the same.
    """

    splits: Splits | None
    time_zone: str
    as_of: datetime | None
    as_served: AsServed | timedelta | bool | None
    label_delay: timedelta | float | None
    label_known_at: str | None
    immature: Immature
    expectations: Sequence[Expectation]
    full_feature_names: bool
    allow_deprecated: str | None


def make_spec(asked: TrainingSpec, options: Options, interval_seconds: float) -> TrainingSpec:
    """`asked` with its options. A time split keeps each part's labels known before the next one
    begins. Raises `Misuse` for an option that does not exist or contradicts another."""
    _check_names(options)
    as_served = schedule(options.get("as_served"), interval_seconds)
    if as_served is not None and options.get("as_of") is not None:
        raise Misuse(
            "as_of and as_served contradict each other",
            "both say as of when a row sees what was known",
            "give one of them",
        )
    maturity = _maturity(options)
    if maturity is not None and asked.label is None:
        raise Misuse("a label's delay needs a label", hint="name the label's column")
    return replace(
        asked,
        splits=_apart(options.get("splits"), maturity),
        time_zone=options.get("time_zone", "UTC"),
        as_of=options.get("as_of"),
        as_served=as_served,
        maturity=maturity,
        expectations=tuple(options.get("expectations") or ()),
        full_feature_names=options.get("full_feature_names", False),
        allow_deprecated=options.get("allow_deprecated"),
    )


def _check_names(options: Any) -> None:
    for name in options:
        if name not in Options.__annotations__:
            near = ", ".join(nearest_names(name, Options.__annotations__))
            raise Misuse(f"a training set has no option {name!r}", f"nearest: {near}" * bool(near))


def _maturity(options: Options) -> Maturity | None:
    delay, column = options.get("label_delay"), options.get("label_known_at")
    if delay is None and column is None:
        return None
    if delay is not None and column is not None:
        raise Misuse("give one of label_delay and label_known_at", "found both")
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay or 0.0)
    immature = options.get("immature", "leave-out")
    return Maturity(delay_seconds=seconds, known_column=column, immature=immature)


def _apart(splits: Splits | None, maturity: Maturity | None) -> Splits | None:
    if splits is None or splits.by_time is None or maturity is None:
        return splits
    gap = max(splits.by_time.gap_seconds, maturity.delay_seconds)
    apart = replace(splits.by_time, gap_seconds=gap, known_column=maturity.known_column)
    return replace(splits, by_time=apart)
