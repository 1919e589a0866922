"""Features of another namespace: what a namespace borrows, and what others borrow of it. Pure.

A feature service may name `namespace/view:feature`. The published state of its namespace then
carries a copy of the lender's view, called `namespace/view`, and is published anew whenever that
changes. So whoever reads one published state reads all that its services need, in one number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from registry.core.published import (
    PinnedFeature,
    Published,
    PublishedFeature,
    PublishedOnDemand,
    PublishedView,
    RetiredFeature,
)
from registry.core.state import NamespaceState, ServiceRecord
from registry.kernel.errors import FieldhouseError, NotFound
from registry.kernel.refs import FeatureRef, parse_ref


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a namespace needs to know of the others: `lenders` are their published states by name,
    `lent` the keys of its own lines that services of others are pinned to."""

    lenders: Mapping[str, Published] = field(default_factory=dict)
    lent: frozenset[str] = frozenset()


NOTHING_ELSEWHERE = Elsewhere()


def lender_of(view: str) -> str | None:
    """The namespace in a pinned view's key; None for the pin's own."""
    namespace, slash, _ = view.partition("/")
    return namespace if slash else None


def foreign(ref: FeatureRef, namespace: str) -> bool:
    """Whether a reference made in `namespace` names a feature of another one."""
    return ref.namespace not in (None, namespace)


def resolve_foreign(ref: FeatureRef, lenders: Mapping[str, Published]) -> PinnedFeature:
    """Pin a reference to a lender's feature. Raises `NotFound` for a namespace that has published
    nothing, and what `Published.resolve` raises."""
    lender = lenders.get(ref.namespace or "")
    if lender is None:
        raise NotFound("namespace", str(ref.namespace), lenders)
    pin = lender.resolve(ref)
    return replace(pin, view=f"{lender.namespace}/{pin.view}")


def lender_feature(ref: FeatureRef, lenders: Mapping[str, Published]) -> PublishedFeature | None:
    """What a reference names in another namespace; None when it has no such live feature."""
    lender = lenders.get(ref.namespace or "")
    found = lender.live() if lender is not None else []
    versions = [
        feature
        for view, feature in found
        if (view, feature.name) == (ref.view, ref.feature)
        and ref.version in (None, feature.version)
    ]
    return max(versions, key=lambda feature: feature.version, default=None)


def lenders_named(refs: Iterable[str], namespace: str) -> set[str]:
    """The other namespaces that references of `namespace` name."""
    parsed = map(parse_ref, refs)
    return {str(ref.namespace) for ref in parsed if foreign(ref, namespace)}


def home_pins(namespace: str, services: Iterable[ServiceRecord]) -> list[PinnedFeature]:
    """The pins of others' services to features of `namespace`, as the namespace itself has them."""
    prefix = f"{namespace}/"
    return [
        replace(pin, view=pin.view.removeprefix(prefix))
        for record in services
        for pin in record.pinned
        if pin.view.startswith(prefix)
    ]


def placed(pin: PinnedFeature, lender: Published) -> PinnedFeature:
    """The pin where its version lies now: the newest ready line with it, else where it was."""
    if pin.on_demand:
        return pin
    name = pin.view.partition("@")[0]
    holding = [
        view
        for view in lender.views.values()
        if view.name == name and view.ready and _holds(view, pin)
    ]
    newest = max(holding, key=lambda view: view.line, default=None)
    return pin if newest is None else replace(pin, view=newest.key)


def replaced_pins(state: NamespaceState, lender: Published) -> NamespaceState:
    """The state with its services' pins where the lender has those versions now."""
    prefix = f"{lender.namespace}/"

    def moved(pin: PinnedFeature) -> PinnedFeature:
        if not pin.view.startswith(prefix):
            return pin
        at_home = placed(replace(pin, view=pin.view.removeprefix(prefix)), lender)
        return replace(at_home, view=f"{prefix}{at_home.view}")

    services = {
        name: replace(record, pinned=tuple(map(moved, record.pinned)))
        for name, record in state.services.items()
    }
    return state if services == dict(state.services) else replace(state, services=services)


@dataclass(frozen=True, slots=True)
class Borrowed:
    """What a namespace's published state carries of others, by `namespace/view` keys."""

    views: Mapping[str, PublishedView]
    on_demand: Mapping[str, PublishedOnDemand]
    retired: tuple[RetiredFeature, ...]


def borrow(services: Iterable[ServiceRecord], lenders: Mapping[str, Published]) -> Borrowed:
    """Copies of all that the services' pins name elsewhere, with what on-demand views read."""
    views: dict[str, PublishedView] = {}
    on_demand: dict[str, PublishedOnDemand] = {}
    retired: dict[RetiredFeature, None] = {}
    waiting = [pin for record in services for pin in record.pinned]
    while waiting:
        pin = waiting.pop()
        lender = lenders.get(lender_of(pin.view) or "")
        if lender is None or pin.view in views or pin.view in on_demand:
            continue
        key = pin.view.removeprefix(f"{lender.namespace}/")
        if key in lender.views:
            views[pin.view] = _named(lender.views[key])
        elif key in lender.on_demand:
            copy = _renamed(lender.on_demand[key])
            on_demand[pin.view] = copy
            waiting += _inputs(copy, lenders)
        retired |= dict.fromkeys(_tombstones(key, lender))
    return Borrowed(views, on_demand, tuple(retired))


def _inputs(view: PublishedOnDemand, lenders: Mapping[str, Published]) -> Iterable[PinnedFeature]:
    for ref in view.inputs:
        try:
            yield resolve_foreign(parse_ref(ref), lenders)
        except FieldhouseError:  # gone at its lender: the reader is told when it asks
            continue


def _holds(view: PublishedView, pin: PinnedFeature) -> bool:
    return any((f.name, f.version) == (pin.feature, pin.version) for f in view.features)


def _named(view: PublishedView) -> PublishedView:
    return replace(view, name=f"{view.namespace}/{view.name}")


def _renamed(view: PublishedOnDemand) -> PublishedOnDemand:
    inputs = tuple(ref if "/" in ref else f"{view.namespace}/{ref}" for ref in view.inputs)
    return replace(view, name=f"{view.namespace}/{view.name}", inputs=inputs)


def _tombstones(key: str, lender: Published) -> Iterable[RetiredFeature]:
    name = key.partition("@")[0]
    for gone in lender.retired:
        if gone.view == name:
            yield replace(
                gone, view=f"{lender.namespace}/{name}", replaced_by=_abroad(gone, lender)
            )


def _abroad(gone: RetiredFeature, lender: Published) -> str | None:
    named = gone.replaced_by
    return named if not named or "/" in named else f"{lender.namespace}/{named}"
