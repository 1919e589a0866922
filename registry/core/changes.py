"""What a repository would change in the registry. Pure: two values in, a list of changes out.

`plan` compares by digests (decision 3): a meaning that differs, a text that differs, a declared
state that differs. Nothing is judged here; rules do that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from registry.core.compiled import Compiled, CompiledFeature
from registry.core.definitions import NOWHERE, Governance, Location
from registry.core.moves import Pasts, moved_version, past_name
from registry.core.readers import Reader, Readers
from registry.core.state import (
    FeatureRecord,
    NamespaceState,
    newest_features,
    newest_lines,
    newest_on_demand,
)
from registry.kernel.canonical import digest

Action = Literal["add", "change", "remove", "move"]
Aspect = Literal["meaning", "text", "state", "definition", "members"]
TEXT_FACTS = (
    "owner",
    "description",
    "unit",
    "sensitivity",
    "sunset",
    "replaced_by",
    "moved_from",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One facet of a thing before and after; None means: was not, or will not be, there."""

    facet: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one thing. `version` is the feature version that results from it.

    `acknowledged` says that the author declared that version. `basis` is the digest of what the
    change starts from, so that a plan is void when that moved on.
    """

    action: Action
    object: str
    name: str
    aspect: Aspect
    differences: tuple[Difference, ...] = ()
    version: int | None = None
    acknowledged: bool = True
    readers: tuple[Reader, ...] = ()
    basis: str = ""
    result: str = ""
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one repository, in a fixed order. `digest` names exactly these changes."""

    namespace: str
    changes: tuple[Change, ...]

    @property
    def empty(self) -> bool:
        return not self.changes

    @property
    def digest(self) -> str:
        """Covers the changes and what they start from, not what else the registry holds."""
        return digest({"namespace": self.namespace, "changes": [_body(c) for c in self.changes]})


def plan(
    compiled: Compiled, state: NamespaceState, readers: Readers, pasts: Pasts | None = None
) -> Plan:
    """Compare what the repository says with what the registry holds of its namespace.

    `pasts` are features of other namespaces that were moved here, by `namespace/view:feature`.
    """
    changes = [
        *_entity_changes(compiled, state),
        *_view_changes(compiled, state),
        *_feature_changes(compiled, state, readers, pasts or {}),
        *_service_changes(compiled, state),
    ]
    changes = _with_moves(changes, compiled, state)
    return Plan(compiled.namespace, tuple(sorted(changes, key=_order)))


def read_by(planned: Plan, state: NamespaceState, readers: Readers) -> Plan:
    """The same plan with those who read its features by now: they may have come after it."""
    newest = newest_features(state)

    def reading(change: Change) -> Change:
        known = state.features.get(change.name) or newest.get(change.name)
        if change.object != "feature" or change.action in ("add", "move") or known is None:
            return change
        return replace(change, readers=readers.get(known.ref, ()))

    return replace(planned, changes=tuple(map(reading, planned.changes)))


def _order(change: Change) -> tuple[str, str, str, str]:
    return (change.object, change.name, change.action, change.aspect)


def _body(change: Change) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(change)
    for unstable in ("location", "readers"):
        body.pop(unstable)
    return body


def _entity_changes(compiled: Compiled, state: NamespaceState) -> Iterator[Change]:
    for name, entity in compiled.entities.items():
        known = state.entities.get(name)
        after = f"{entity.join_key.name} {entity.join_key.dtype}"
        if known is None:
            yield Change(
                "add",
                "entity",
                name,
                "definition",
                (Difference("join key", None, after),),
                result=digest(msgspec.to_builtins(entity)),
                location=entity.location,
            )
        elif known != entity:
            before = f"{known.join_key.name} {known.join_key.dtype}"
            texts = _differing(
                {"join key": before, "description": known.description, "owner": known.owner},
                {"join key": after, "description": entity.description, "owner": entity.owner},
            )
            yield Change("change", "entity", name, "definition", texts, location=entity.location)
    for name in state.entities:
        if name not in compiled.entities:
            yield Change("remove", "entity", name, "definition")


def _view_changes(compiled: Compiled, state: NamespaceState) -> Iterator[Change]:
    known_views = {n: x for n, x in newest_lines(state).items() if not x.retired}
    known_on_demand = {n: x for n, x in newest_on_demand(state).items() if not x.retired}
    for name, view in compiled.views.items():
        known = known_views.get(name)
        if known is None:
            result = digest([list(view.entities), _view_settings(view)])
            yield Change("add", "view", name, "definition", result=result, location=view.location)
        else:
            settings = _differing(_view_settings(known.definition), _view_settings(view))
            if settings:
                yield Change("change", "view", name, "definition", settings, location=view.location)
    for name, on_demand in compiled.on_demand.items():
        if name not in known_on_demand:
            yield Change("add", "view", name, "definition", location=on_demand.location)
    for name in sorted({*known_views, *known_on_demand}):
        if name not in compiled.views and name not in compiled.on_demand:
            yield Change("remove", "view", name, "definition")


def _view_settings(view: Any) -> dict[str, str]:
    """What belongs to a view as a whole and to no feature's meaning."""
    return {
        "online": str(view.online).lower(),
        "file": view.source.history.file or "",
        "domain": view.domain,
        "expectations": "; ".join(f"{e.kind} {e.arguments}" for e in view.expectations),
        "tags": "; ".join(f"{k}={v}" for k, v in view.tags),
    }


def _feature_changes(
    compiled: Compiled, state: NamespaceState, readers: Readers, pasts: Pasts
) -> Iterator[Change]:
    newest = newest_features(state)
    own = {f"{state.namespace}/{ref}": record for ref, record in newest.items()}
    for ref, feature in compiled.features.items():
        known = newest.get(ref)
        if known is None or not known.live:
            name = past_name(feature, compiled.namespace)
            past = {**pasts, **own}.get(name) if name and known is None else None
            yield _added(feature, known) if past is None else _moved(feature, past, str(name))
        else:
            yield from _changed(feature, known, readers)
    for record in state.features.values():
        if record.live and record.short_ref not in compiled.features:
            yield Change(
                "remove",
                "feature",
                record.ref,
                "state",
                (Difference("state", record.state, "retired"),),
                version=record.version,
                readers=readers.get(record.ref, ()),
                basis=record.meaning,
            )


def _added(feature: CompiledFeature, known: FeatureRecord | None) -> Change:
    version = 1 if known is None else known.version + 1
    declared = feature.facts.version
    return Change(
        "add",
        "feature",
        feature.ref,
        "meaning",
        tuple(Difference(name, None, text) for name, text in feature.facets),
        version=version,
        acknowledged=declared == version or (declared is None and version == 1),
        result=digest([feature.meaning, _words(feature), feature.facts.state or "draft"]),
        location=feature.location,
    )


def _moved(feature: CompiledFeature, past: FeatureRecord, name: str) -> Change:
    """The feature under its new name, which goes on with its past's version."""
    version, declared = moved_version(feature, past), feature.facts.version
    kept = feature.meaning == past.meaning
    made = _added(feature, None)
    return replace(
        made,
        action="move",
        version=version,
        acknowledged=declared == version or (declared is None and kept),
        differences=(
            Difference("moved from", f"{name}@{past.version}", feature.ref),
            *_differing(dict(past.facets), dict(feature.facets)),
        ),
        basis=past.meaning,
    )


def _changed(feature: CompiledFeature, known: FeatureRecord, readers: Readers) -> Iterator[Change]:
    change = Change(
        "change",
        "feature",
        feature.ref,
        "meaning",
        version=known.version,
        readers=readers.get(known.ref, ()),
        basis=known.meaning,
        result=feature.meaning,
        location=feature.location,
    )
    if feature.meaning != known.meaning:
        version = known.version + 1
        yield replace(
            change,
            differences=_differing(dict(known.facets), dict(feature.facets)),
            version=version,
            acknowledged=feature.facts.version == version,
        )
    said = _differing(_text(known.facts), _text(feature.facts))
    if said or feature.text != known.text:
        yield replace(
            change,
            aspect="text",
            differences=said,
            basis=known.text,
            result=feature.text,
        )
    declared = feature.facts.state or "draft"
    held = known.before_quarantine or known.state
    if declared != held:
        yield replace(
            change,
            aspect="state",
            differences=(Difference("state", held, declared),),
            basis=held,
            result=declared,
        )


def _words(feature: CompiledFeature | FeatureRecord) -> str:
    """The digest of all that is said about a feature, the date of its sunset too."""
    return digest([feature.text, _text(feature.facts)])


def _text(facts: Governance) -> dict[str, str]:
    values = {name: getattr(facts, name) for name in TEXT_FACTS}
    values["staleness"] = facts.staleness
    return {name: str(value) for name, value in values.items() if value is not None}


def _service_changes(compiled: Compiled, state: NamespaceState) -> Iterator[Change]:
    for name, service in compiled.services.items():
        known = state.services.get(name)
        after = {
            "features": ", ".join(service.refs),
            "owner": service.owner,
            "description": service.description,
            "state": service.state,
        }
        if known is None:
            yield Change(
                "add",
                "service",
                name,
                "members",
                _differing({}, after),
                result=digest(list(service.refs)),
                location=service.location,
            )
            continue
        before = {
            "features": ", ".join(known.definition.refs),
            "owner": known.definition.owner,
            "description": known.definition.description,
            "state": known.definition.state,
        }
        differences = _differing(before, after)
        if differences:
            yield Change(
                "change",
                "service",
                name,
                "members",
                differences,
                basis=digest(list(known.definition.refs)),
                result=digest(list(service.refs)),
                location=service.location,
            )
    for name in state.services:
        if name not in compiled.services:
            yield Change("remove", "service", name, "members", readers=(Reader("service", name),))


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    names = list(dict.fromkeys([*before, *after]))
    return tuple(
        Difference(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _with_moves(changes: list[Change], compiled: Compiled, state: NamespaceState) -> list[Change]:
    """A removal and an addition of one definition under one feature name is a move."""
    removed = {
        (state.features[c.name].definition_key, state.features[c.name].name): c
        for c in changes
        if c.object == "feature" and c.action == "remove"
    }
    moved: list[Change] = []
    for change in changes:
        feature = compiled.features.get(change.name)
        if change.object == "feature" and change.action == "add" and feature is not None:
            source = removed.get((feature.definition_key, feature.name))
            if source is not None:
                where = Difference("moved from", source.name, change.name)
                change = replace(
                    change,
                    action="move",
                    readers=source.readers,
                    differences=(where, *change.differences),
                )
        moved.append(change)
    return moved
