"""Plans: a feature service, or a list of references, compiled against one published state. Pure.

Everything that can be decided before a request is decided here: keys, decoders, types, lifecycle,
names. A plan is thrown away when the published number moves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any

from featureserver.decoders import Decoder, Wanted
from featureserver.keys import KeySpace, key_space
from featureserver.values import Convert, to_json, to_wire
from registry.core.published import (
    PinnedFeature,
    Published,
    PublishedFeature,
    PublishedOnDemand,
    PublishedService,
    PublishedView,
)
from registry.kernel.errors import Gone, Invalid, NotFound, Refused
from registry.kernel.refs import parse_ref

Transform = Callable[[Mapping[str, Sequence[Any]]], dict[str, list[Any]]]
TransformCompiler = Callable[[PublishedOnDemand], Transform]


class NameCollision(Invalid):
    """Two features of one request would have the same name in the answer."""


@dataclass(frozen=True, eq=False)
class PlannedFeature:
    """One feature that is read. `label` names it in answers; `default` is a wire value or None.

    `quarantined` features answer what `staleness` says instead of what is stored.
    """

    label: str
    ref: str
    versioned: str
    name: str
    dtype: str
    staleness: str
    default: Any
    quarantined: bool

    @cached_property
    def as_json(self) -> Convert | None:
        """Wire value to JSON's; None: it is the same."""
        return to_json(self.dtype)

    @cached_property
    def floating(self) -> bool:
        """Whether values are numbers that JSON may be unable to say."""
        return self.dtype in ("float32", "float64")


@dataclass(frozen=True, slots=True)
class PlannedView:
    """One view that is read; its features' places among the plan's columns are `places`."""

    key: str
    name: str
    line: int
    space: KeySpace
    decoder: Decoder
    ttl_micros: int | None
    features: tuple[PlannedFeature, ...]
    places: tuple[int, ...]
    quarantined: bool = False
    floats: bool = False  # all its features are


@dataclass(frozen=True, slots=True)
class PlannedTransform:
    """An on-demand view: input name to column place, request fields with their types, outputs and
    their places."""

    name: str
    function: Transform
    inputs: tuple[tuple[str, int], ...]
    request_fields: tuple[tuple[str, str], ...]
    outputs: tuple[PlannedFeature, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A deprecated feature that the plan serves: for headers and logs."""

    ref: str
    sunset: datetime | None
    replaced_by: str | None


@dataclass(frozen=True, eq=False)
class Plan:
    """How one service, or one list of references, is looked up.

    `entity_names` are the join keys and request fields that a request must bring, `aliases` maps
    entity names to join keys. `shown` are the places of the columns that the answer has, in the
    order of the request; columns beyond are inputs of on-demand views.
    """

    request: str | tuple[str, ...]
    full_feature_names: bool
    number: int
    at: datetime
    entity_names: Mapping[str, str]
    aliases: Mapping[str, str]
    views: tuple[PlannedView, ...]
    transforms: tuple[PlannedTransform, ...]
    columns: tuple[PlannedFeature, ...]
    shown: tuple[int, ...]
    notices: tuple[Notice, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features in the answer, in order."""
        return tuple(self.columns[place].label for place in self.shown)

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Every feature that is read or computed for this, as `view:feature@version`."""
        return tuple(dict.fromkeys(column.versioned for column in self.columns))

    @cached_property
    def key_groups(self) -> tuple[tuple[KeySpace, tuple[bytes, ...]], ...]:
        """Views of the same entities one after the other: how to encode those once, and what
        each view adds. In the order of `views`."""
        groups: dict[Any, tuple[KeySpace, list[bytes]]] = {}
        for view in self.views:
            groups.setdefault(view.space.entity, (view.space, []))[1].append(view.space.suffix)
        return tuple((space, tuple(suffixes)) for space, suffixes in groups.values())

    @cached_property
    def pick(self) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """From the columns of all views, then of all transforms, the shown ones in order."""
        holders: tuple[PlannedView | PlannedTransform, ...] = (*self.views, *self.transforms)
        order = [place for one in holders for place in one.places]
        picks = [order.index(place) for place in self.shown]
        return itemgetter(*picks) if len(picks) > 1 else lambda columns: (columns[picks[0]],)

    @cached_property
    def in_order(self) -> bool:
        """Whether the answer has all columns, in the order in which they are made."""
        holders: tuple[PlannedView | PlannedTransform, ...] = (*self.views, *self.transforms)
        return self.shown == tuple(place for one in holders for place in one.places)

    @property
    def label(self) -> str:
        """The service's name, or how many features were listed: for metrics and logs."""
        return self.request if isinstance(self.request, str) else "ad hoc"


def compile_plan(
    state: Published,
    request: str | Sequence[str],
    full_feature_names: bool,
    compile_transform: TransformCompiler,
) -> Plan:
    """Compile what `request` asks for: a str is a feature service, else a list of references.

    Raises `NotFound`, `Gone` (retired), `Refused` (draft, not online, or quarantined under policy
    "refuse"), `Invalid` (no features, not references) or `NameCollision`.
    """
    asked = _asked(state, request)
    if not asked:
        raise Invalid("no features were asked for", hint="name features or a feature service")
    build = _Building(state, full_feature_names, compile_transform)
    shown = tuple([build.place(pin, qualified) for pin, qualified in asked])
    plan = build.finish(request if isinstance(request, str) else tuple(request), shown)
    _check_names(plan)
    return plan


def _asked(state: Published, request: str | Sequence[str]) -> list[tuple[PinnedFeature, bool]]:
    """The pins, and whether the reference itself named the version."""
    if isinstance(request, str):
        return [(pin, False) for pin in _service(state, request).features]
    refs = list(dict.fromkeys(request))
    return [(_resolved(state, ref), parse_ref(ref).version is not None) for ref in refs]


def _resolved(state: Published, ref: str) -> PinnedFeature:
    try:
        return state.resolve(ref)
    except NotFound:
        known = {v.name for v in state.views.values()} | {o.name for o in state.on_demand.values()}
        if parse_ref(ref).view not in known:
            raise NotFound("feature view", parse_ref(ref).view, known) from None
        raise


def _service(state: Published, name: str) -> PublishedService:
    service = state.service(name)
    for pin in service.features:
        gone = next((g for g in state.retired if _is_pin(g.view, g.feature, g.version, pin)), None)
        if gone is not None:
            raise Gone(
                f"feature service {name!r} holds {pin.view}:{pin.feature}, which was retired",
                hint=f"use {gone.replaced_by}" if gone.replaced_by else "",
            )
    return service


def _is_pin(view: str, feature: str, version: int, pin: PinnedFeature) -> bool:
    names = {pin.view, pin.view.partition("@")[0]}
    return view in names and (feature, version) == (pin.feature, pin.version)


@dataclass
class _Building:
    state: Published
    full_names: bool
    compile_transform: TransformCompiler
    columns: list[PlannedFeature] = field(default_factory=list)
    by_pin: dict[PinnedFeature, int] = field(default_factory=dict)
    in_view: dict[str, list[int]] = field(default_factory=dict)
    in_transform: dict[str, list[int]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)

    def place(self, pin: PinnedFeature, qualified: bool = False) -> int:
        """The column of a pinned feature, made when it is not there yet."""
        if pin in self.by_pin:
            return self.by_pin[pin]
        feature = self.state.feature(pin)
        ref = f"{pin.view}:{pin.feature}"
        _check_servable(ref, feature)
        if feature.state == "deprecated":
            self.notices.append(Notice(ref, feature.sunset, feature.replaced_by))
        self.columns.append(_planned(feature, ref, self._label(pin, qualified)))
        self.by_pin[pin] = place = len(self.columns) - 1
        holders = self.in_transform if pin.on_demand else self.in_view
        holders.setdefault(pin.view, []).append(place)
        return place

    def _label(self, pin: PinnedFeature, qualified: bool) -> str:
        if not self.full_names:
            return pin.feature
        holder: PublishedView | PublishedOnDemand = (
            self.state.computed(pin.view) if pin.on_demand else self.state.view(pin.view)
        )
        version = f"@v{pin.version}" if qualified else ""
        return f"{holder.name.replace('/', '__')}{version}__{pin.feature}"

    def finish(self, request: str | tuple[str, ...], shown: tuple[int, ...]) -> Plan:
        transforms = self._transforms()
        views = _grouped([self._view(key, places) for key, places in self.in_view.items()])
        names, aliases = self._entities(transforms)
        return Plan(
            request=request,
            full_feature_names=self.full_names,
            number=self.state.number,
            at=self.state.at,
            entity_names=names,
            aliases=aliases,
            views=views,
            transforms=transforms,
            columns=tuple(self.columns),
            shown=shown,
            notices=tuple(self.notices),
        )

    def _transforms(self) -> tuple[PlannedTransform, ...]:
        """On-demand views, inputs before those that use them."""
        done: dict[str, PlannedTransform] = {}
        while waiting := [name for name in self.in_transform if name not in done]:
            for name in waiting:
                self._transform(name, done, ())
        for name, made in done.items():
            places = self.in_transform[name]
            done[name] = PlannedTransform(
                made.name,
                made.function,
                made.inputs,
                made.request_fields,
                tuple(self.columns[place] for place in places),
                tuple(places),
            )
        return tuple(done.values())

    def _transform(
        self, name: str, done: dict[str, PlannedTransform], above: tuple[str, ...]
    ) -> None:
        if name in done:
            return
        if name in above:
            raise Invalid(f"on-demand view {name!r} needs itself")
        view = self.state.computed(name)
        pins = [self.state.resolve(ref) for ref in view.inputs]
        holders = [parse_ref(ref).view for ref in view.inputs]
        inputs = tuple(
            (f"{holder}__{pin.feature}", self.place(pin))
            for holder, pin in zip(holders, pins, strict=True)
        )
        for pin in pins:
            if pin.on_demand:
                self._transform(pin.view, done, (*above, name))
        fields = tuple((key.name, key.dtype) for key in view.request_fields)
        done[name] = PlannedTransform(name, self.compile_transform(view), inputs, fields, (), ())

    def _view(self, key: str, places: list[int]) -> PlannedView:
        view = self.state.view(key)
        if not view.online:
            raise Refused(
                f"view {view.name!r} is not online", hint="declare online=True and materialize it"
            )
        features = tuple(self.columns[place] for place in places)
        wanted = [Wanted(f.name, f.dtype, f.default) for f in features]
        ttl = None if view.ttl_seconds is None else round(view.ttl_seconds * 1_000_000)
        schemas = {schema.version: schema for schema in view.row_schemas}
        return PlannedView(
            key=key,
            name=view.name,
            line=view.line,
            space=key_space(view),
            decoder=Decoder(schemas, wanted),
            ttl_micros=ttl,
            features=features,
            places=tuple(places),
            quarantined=any(feature.quarantined for feature in features),
            floats=all(feature.floating for feature in features),
        )

    def _entities(
        self, transforms: tuple[PlannedTransform, ...]
    ) -> tuple[dict[str, str], dict[str, str]]:
        names: dict[str, str] = {}
        aliases: dict[str, str] = {}
        for key in self.in_view:
            view: PublishedView = self.state.view(key)
            names.update((k.name, k.dtype) for k in view.join_keys)
            aliases.update(zip(view.entities, (k.name for k in view.join_keys), strict=False))
        for transform in transforms:
            fields = self.state.computed(transform.name).request_fields
            names.update((f.name, f.dtype) for f in fields)
        return names, {alias: key for alias, key in aliases.items() if alias not in names}


def _grouped(views: list[PlannedView]) -> tuple[PlannedView, ...]:
    """Views of the same entities beside each other, else in the order in which they came."""
    groups: dict[Any, list[PlannedView]] = {}
    for view in views:
        groups.setdefault(view.space.entity, []).append(view)
    return tuple(view for group in groups.values() for view in group)


def _planned(feature: PublishedFeature, ref: str, label: str) -> PlannedFeature:
    default = None if feature.default is None else to_wire(feature.dtype)(feature.default)
    return PlannedFeature(
        label=label,
        ref=ref,
        versioned=f"{ref.partition(':')[0].partition('@')[0]}:{feature.name}@{feature.version}",
        name=feature.name,
        dtype=feature.dtype,
        staleness=feature.staleness,
        default=default,
        quarantined=feature.state == "quarantined",
    )


def _check_servable(ref: str, feature: PublishedFeature) -> None:
    if feature.state == "retired":
        hint = f"use {feature.replaced_by}" if feature.replaced_by else ""
        raise Gone(f"feature {ref} was retired", hint=hint)
    if feature.state == "draft":
        raise Refused(
            f"feature {ref} is a draft", "drafts are for training only", "promote it first"
        )
    if feature.state == "quarantined" and feature.staleness == "refuse":
        raise Refused(f"feature {ref} is quarantined", "its policy is to refuse lookups")


def _check_names(plan: Plan) -> None:
    seen: set[str] = set(plan.entity_names)
    for name in plan.names:
        if name in seen:
            raise NameCollision(
                f"the answer would have two columns named {name!r}",
                hint="ask with full_feature_names true",
            )
        seen.add(name)


def known_view(state: Published, name: str) -> list[PublishedView]:
    """Every line of the view of that name, or the one line of that key; raises `NotFound`."""
    if name in state.views and "@" in name:
        return [state.views[name]]
    lines = [view for view in state.views.values() if view.name == name]
    if not lines:
        raise NotFound("feature view", name, {view.name for view in state.views.values()})
    return lines
