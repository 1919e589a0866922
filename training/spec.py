"""What a training set is asked to be, and what that asks of the published state. Pure.

Lifecycle is obeyed here: drafts are noted, deprecated features are refused unless waived with a
reason, quarantined and retired ones are refused.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.core.definitions import Expectation
from registry.core.findings import Finding
from registry.core.published import PinnedFeature, Published, PublishedFeature, PublishedService
from registry.kernel.errors import FieldhouseError, Gone, Invalid, Misuse, NotFound, Refused
from training.maturity import Maturity
from training.served import AsServed
from training.splits import Splits

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """The request, as the manifest keeps it. `features` are references as they were written;
    `service` is the feature service they came from. `time_zone` is that of spine times without
    one; `as_of` holds created times against one instant instead of each row's time. `spine` is
    the spine's query or path, when it was one. See `training.request` for the others."""

    name: str
    features: tuple[str, ...]
    time_column: str = "event_timestamp"
    label: str | None = None
    service: str | None = None
    full_feature_names: bool = False
    time_zone: str = "UTC"
    as_of: datetime | None = None
    splits: Splits | None = None
    allow_deprecated: str | None = None
    as_served: AsServed | None = None
    maturity: Maturity | None = None
    expectations: tuple[Expectation, ...] = ()
    spine: str | None = None


@dataclass(frozen=True, slots=True)
class ChosenFeature:
    """A feature to be joined or computed: its pin, what is published of it, its column's name.

    `column` None means: only an input of an on-demand view, not wanted for itself.
    """

    pin: PinnedFeature
    facts: PublishedFeature
    column: str | None

    @property
    def ref(self) -> str:
        """`view:feature@version`; the view is the published line's key."""
        return f"{self.pin.view}:{self.pin.feature}@{self.pin.version}"

    @property
    def plain_ref(self) -> str:
        """The same with the view's own name: what the registry lists readers by."""
        return f"{self.pin.view.partition('@')[0]}:{self.pin.feature}@{self.pin.version}"


def check_name(name: str) -> None:
    """Raise `Misuse` unless `name` can name a folder on every machine."""
    if not _NAME.match(name):
        raise Misuse(
            f"{name!r} cannot name a training set", hint="use letters, digits, dots, dashes, _"
        )


def named_features(
    features: str | Sequence[str], state: Published
) -> tuple[tuple[str, ...], str | None]:
    """References and, when `features` is one name without a colon, the service that it names."""
    if isinstance(features, str) and ":" not in features:
        service = state.service(features)
        return tuple(f"{p.view}:{p.feature}@{p.version}" for p in service.features), service.name
    refs = (features,) if isinstance(features, str) else tuple(features)
    if not refs:
        raise Misuse(
            "a training set needs features", hint="name a feature service, or view:feature"
        )
    return tuple(dict.fromkeys(refs)), None


def pin_features(spec: TrainingSpec, state: Published) -> tuple[PinnedFeature, ...]:
    """The pins of a spec: a service's own, else each reference resolved now."""
    if spec.service is not None:
        return _live(state.service(spec.service), state)
    return tuple(dict.fromkeys(state.resolve(ref) for ref in spec.features))


def choose_features(
    spec: TrainingSpec, state: Published, spine_columns: Sequence[str]
) -> tuple[ChosenFeature, ...]:
    """All features to be had, in the order asked, inputs of on-demand views last.

    A column is called by its feature, or `view__feature` where two features, or a feature and a
    spine column, share the name (and everywhere when `full_feature_names`). Raises `Refused`,
    `Gone`, `NotFound`, and `Invalid` when names clash even so.
    """
    pins = pin_features(spec, state)
    inputs = [pin for pin in _inputs(pins, state) if pin not in pins]
    names = column_names(pins, spine_columns, spec.full_feature_names)
    chosen = [ChosenFeature(pin, state.feature(pin), names[pin]) for pin in pins]
    chosen += [ChosenFeature(pin, state.feature(pin), None) for pin in dict.fromkeys(inputs)]
    check_lifecycle(chosen, spec.allow_deprecated)
    return tuple(chosen)


def column_names(
    pins: Sequence[PinnedFeature], taken: Sequence[str], full: bool
) -> dict[PinnedFeature, str]:
    """Each pin's column name; see `choose_features`."""
    count = Counter([*taken, *(pin.feature for pin in pins)])
    names = {pin: full_name(pin) if full or count[pin.feature] > 1 else pin.feature for pin in pins}
    clashes = [n for n, times in Counter([*set(taken), *names.values()]).items() if times > 1]
    if clashes:
        raise Invalid(
            f"two columns would be called {clashes[0]!r}", hint="rename the spine's column"
        )
    return names


def full_name(pin: PinnedFeature) -> str:
    """`view__feature`; the line's number stays in the view's key when it is not the first, and
    another namespace's name stands before its view."""
    return f"{pin.view.replace('/', '__')}__{pin.feature}"


def check_lifecycle(chosen: Iterable[ChosenFeature], waiver: str | None) -> None:
    """Raise `Refused` for features that may not be trained on, all named in one message."""
    deprecated = [c for c in chosen if c.facts.state == "deprecated"]
    stopped = [c for c in chosen if c.facts.state in ("quarantined", "retired")]
    if stopped:
        what = ", ".join(f"{c.ref} is {c.facts.state}" for c in stopped)
        raise Refused("this training set cannot be built", what, _instead(stopped))
    if deprecated and not waiver:
        raise Refused(
            "this training set uses deprecated features",
            ", ".join(c.ref for c in deprecated),
            f"{_instead(deprecated)} or give a reason with allow_deprecated".strip(),
        )


def lifecycle_notices(chosen: Iterable[ChosenFeature], waiver: str | None) -> list[Finding]:
    """What the manifest should say of drafts and of deprecated features that were waived."""
    told = {"draft": "is a draft: its meaning may still change"}
    if waiver:
        told["deprecated"] = f"is deprecated; used because: {waiver}"
    return [
        Finding(f"{c.facts.state}-feature", "training", "notice", told[c.facts.state], c.ref)
        for c in chosen
        if c.facts.state in told
    ]


def _instead(chosen: Iterable[ChosenFeature]) -> str:
    known = [f"{c.facts.replaced_by} for {c.ref}" for c in chosen if c.facts.replaced_by]
    return f"use {', '.join(known)}" if known else ""


def _live(service: PublishedService, state: Published) -> tuple[PinnedFeature, ...]:
    for pin in service.features:
        try:
            state.feature(pin)
        except NotFound as missing:
            raise _retired(pin, state, service.name) or missing from missing
    return service.features


def _retired(pin: PinnedFeature, state: Published, service: str) -> FieldhouseError | None:
    for gone in state.retired:
        if gone.feature == pin.feature and gone.version == pin.version:
            hint = f"use {gone.replaced_by}" if gone.replaced_by else ""
            return Gone(f"{pin.view}:{pin.feature} of service {service!r} was retired", hint=hint)
    return None


def _inputs(pins: Iterable[PinnedFeature], state: Published) -> list[PinnedFeature]:
    """What the on-demand views among the pins read."""
    found = []
    for key in dict.fromkeys(pin.view for pin in pins if pin.on_demand):
        for ref in state.computed(key).inputs:
            pin = state.resolve(ref)
            if pin.on_demand:
                raise Invalid(
                    f"on-demand view {key!r} reads {ref!r}, which is itself computed on demand",
                    hint="read the stored features instead",
                )
            found.append(pin)
    return found
