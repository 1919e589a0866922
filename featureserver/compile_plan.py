"""Compiles plans from the published state. Pure.

Everything that can be decided before a request is decided here: keys, decoders, types, lifecycle,
names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from featureserver.decoders import Decoder, Wanted
from featureserver.keys import key_space
from featureserver.named import asked_pins
from featureserver.plan import (
    NameCollision,
    Notice,
    Plan,
    PlannedFeature,
    PlannedTransform,
    PlannedView,
    TransformCompiler,
)
from featureserver.values import to_wire
from registry.core.published import (
    PinnedFeature,
    Published,
    PublishedFeature,
    PublishedOnDemand,
    PublishedView,
)
from registry.kernel.errors import Gone, Invalid, Refused
from registry.kernel.refs import parse_ref


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
    asked = asked_pins(state, request)
    if not asked:
        raise Invalid("no features were asked for", hint="name features or a feature service")
    build = _Building(state, full_feature_names, compile_transform)
    shown = tuple([build.place(pin, qualified) for pin, qualified in asked])
    plan = build.finish(request if isinstance(request, str) else tuple(request), shown)
    _check_names(plan)
    return plan


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
