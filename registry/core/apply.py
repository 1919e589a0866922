"""The new state that a plan makes of an old one. Pure; the service checks guards before it.

A feature whose meaning changes gets a new version in a new line of its view; the old line keeps the
old version for whoever is pinned to it. Columns that come or go change the row schema only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from registry.core.borrowing import NOTHING_ELSEWHERE, Elsewhere, foreign, resolve_foreign
from registry.core.changes import Change, Plan
from registry.core.compiled import Compiled, CompiledFeature
from registry.core.definitions import FeatureService, FeatureView, OnDemandView
from registry.core.lines import settle_lines
from registry.core.publish import publish
from registry.core.published import KEY_FORMAT, PinnedFeature, Published, RowSchema
from registry.core.state import (
    SERVED_STATES,
    FeatureRecord,
    NamespaceState,
    OnDemandRecord,
    ServiceRecord,
    ViewLine,
    newest_features,
    newest_lines,
    newest_on_demand,
)
from registry.kernel.canonical import digest
from registry.kernel.refs import parse_ref


@dataclass(slots=True)
class _Draft:
    """The state under construction. Lives only inside `apply_plan`."""

    compiled: Compiled
    at: datetime
    changes: Mapping[tuple[str, str], Change]
    features: dict[str, FeatureRecord]
    newest: dict[str, FeatureRecord]
    lines: dict[str, ViewLine] = field(default_factory=dict)
    on_demand: dict[str, OnDemandRecord] = field(default_factory=dict)

    def put(self, record: FeatureRecord) -> None:
        self.features[record.ref] = record
        self.newest[record.short_ref] = record


def apply_plan(
    plan: Plan,
    compiled: Compiled,
    state: NamespaceState,
    at: datetime,
    elsewhere: Elsewhere = NOTHING_ELSEWHERE,
) -> NamespaceState:
    """The state after the plan, one number further. An empty plan gives the same state back.

    `elsewhere` says what the other namespaces lend it, and which of its lines they read.
    """
    if plan.empty:
        return state
    draft = _Draft(
        compiled=compiled,
        at=at,
        changes={(c.name, c.aspect): c for c in plan.changes if c.object == "feature"},
        features=dict(state.features),
        newest=newest_features(state),
        lines=dict(state.lines),
        on_demand=dict(state.on_demand),
    )
    _retire_removed(draft, plan)
    for view in compiled.views.values():
        _apply_view(draft, view, newest_lines(state).get(view.name))
    for on_demand in compiled.on_demand.values():
        _apply_on_demand(draft, on_demand, newest_on_demand(state).get(on_demand.name))
    _retire_empty(draft)
    changed = replace(
        state,
        number=state.number + 1,
        entities=dict(compiled.entities),
        lines=draft.lines,
        on_demand=draft.on_demand,
        features=draft.features,
    )
    own = publish(changed, at)
    services = _pin_services(compiled.services, state, own, elsewhere)
    lines, features = settle_lines(changed.lines, changed.features, services, elsewhere.lent)
    return replace(changed, lines=lines, features=features, services=services)


def _retire_removed(draft: _Draft, plan: Plan) -> None:
    for change in plan.changes:
        if change.object == "feature" and change.action == "remove":
            record = draft.features[change.name]
            told = record.facts.replaced_by or _new_name(plan, record)
            facts = replace(record.facts, replaced_by=told)
            draft.put(replace(record, state="retired", facts=facts, since=draft.at))


def _new_name(plan: Plan, record: FeatureRecord) -> str | None:
    """What a feature is called after a move in the same plan; None when it is not moved."""
    names = (record.short_ref, f"{plan.namespace}/{record.short_ref}")
    for change in plan.changes:
        moved = [d.before for d in change.differences if d.facet == "moved from" and d.before]
        if any(before.split("@")[0] in names for before in moved):
            return change.name
    return None


def _apply_view(draft: _Draft, view: FeatureView, known: ViewLine | None) -> None:
    features = [draft.compiled.features[f"{view.name}:{f.name}"] for f in view.features]
    if known is None or known.retired:
        number = 1 if known is None else known.line + 1
        line = ViewLine(number, view, (RowSchema(1, _columns(view)),), key_format=KEY_FORMAT)
    elif _breaks(draft, features) or _returns(known, view):
        line = ViewLine(
            known.line + 1,
            view,
            (RowSchema(1, _columns(view)),),
            ready=False,
            key_format=KEY_FORMAT,
        )
    else:
        line = _rewritten(known, view, retyped=_changed_drafts(draft, features))
    draft.lines[line.key] = line
    for feature in features:
        draft.put(_record(draft, feature, line.line))


def _breaks(draft: _Draft, features: list[CompiledFeature]) -> bool:
    """Whether a meaning changes in a view of which something is served: that takes a new line.

    A draft's change takes one too, beside features that are served: rows of the old meaning must
    not be read as the new one, and the others must not be missing until they are written again.
    """
    known = [draft.newest[feature.ref] for feature in features if feature.ref in draft.newest]
    served = any((r.before_quarantine or r.state) in SERVED_STATES for r in known)
    return served and _changed_drafts(draft, features)


def _returns(known: ViewLine, view: FeatureView) -> bool:
    """Whether a column comes back that was gone: rows of before may still hold its old values."""
    before = {name for schema in known.row_schemas[:-1] for name, _ in schema.columns}
    gone = before - {name for name, _ in known.row_schemas[-1].columns}
    return any(feature.name in gone for feature in view.features)


def _changed_drafts(draft: _Draft, features: list[CompiledFeature]) -> bool:
    """Whether a known feature changes its meaning, so that stored rows hold something else."""
    return any(
        (feature.ref, "meaning") in draft.changes and feature.ref in draft.newest
        for feature in features
    )


def _rewritten(known: ViewLine, view: FeatureView, retyped: bool) -> ViewLine:
    schemas, generation, key_format = known.row_schemas, known.generation, known.key_format
    columns = _columns(view)
    before = dict(schemas[-1].columns)
    if columns != schemas[-1].columns:
        schemas = (*schemas, RowSchema(schemas[-1].version + 1, columns))
    if retyped:  # nothing of it is served, so nobody misses the rows of before
        generation, key_format = generation + 1, KEY_FORMAT
    rebuild = known.rebuild or not before.items() <= dict(columns).items()
    return replace(
        known,
        definition=view,
        row_schemas=schemas,
        generation=generation,
        rebuild=rebuild,
        key_format=key_format,
    )


def _columns(view: FeatureView) -> tuple[tuple[str, str], ...]:
    return tuple((f.name, f.dtype) for f in view.features)


def _record(draft: _Draft, feature: CompiledFeature, line: int) -> FeatureRecord:
    known = draft.newest.get(feature.ref)
    state = feature.facts.state or "draft"
    made = FeatureRecord(
        view=feature.view,
        name=feature.name,
        version=1,
        dtype=feature.dtype,
        meaning=feature.meaning,
        text=feature.text,
        definition_key=feature.definition_key,
        facets=feature.facets,
        state=state,
        facts=feature.facts,
        lines=(line,),
        on_demand=feature.on_demand,
        since=draft.at,
    )
    if known is None:
        moved = draft.changes.get((feature.ref, "meaning"))
        return (
            made if moved is None or moved.version is None else replace(made, version=moved.version)
        )
    if (feature.ref, "meaning") in draft.changes:
        if known.state == "draft":
            draft.features[known.ref] = replace(known, state="retired", since=draft.at)
        return replace(made, version=known.version + 1)
    return _carried(made, known, line)


def _carried(made: FeatureRecord, known: FeatureRecord, line: int) -> FeatureRecord:
    """The same version under a new text, state or line. A quarantine stays until released."""
    lines = known.lines if line in known.lines else (*known.lines, line)
    quarantined = known.state == "quarantined"
    return replace(
        made,
        version=known.version,
        lines=lines,
        state="quarantined" if quarantined else made.state,
        before_quarantine=made.state if quarantined else None,
        since=known.since if known.state in (made.state, "quarantined") else made.since,
    )


def _apply_on_demand(draft: _Draft, view: OnDemandView, known: OnDemandRecord | None) -> None:
    features = [draft.compiled.features[f"{view.name}:{f.name}"] for f in view.features]
    number = 1 if known is None else known.line
    if known is not None and (known.retired or _breaks(draft, features)):
        number += 1
    record = OnDemandRecord(number, view, digest([view.mode, view.entry, view.code]))
    draft.on_demand[record.key] = record
    for feature in features:
        draft.put(_record(draft, feature, number))


def _retire_empty(draft: _Draft) -> None:
    held = {(r.view, line) for r in draft.features.values() if r.live for line in r.lines}
    for key, line in draft.lines.items():
        draft.lines[key] = replace(line, retired=(line.name, line.line) not in held)
    for key, record in draft.on_demand.items():
        draft.on_demand[key] = replace(record, retired=(record.name, record.line) not in held)


def _pin_services(
    services: Mapping[str, FeatureService],
    state: NamespaceState,
    own: Published,
    elsewhere: Elsewhere,
) -> dict[str, ServiceRecord]:
    """Pins are kept as they were; a reference that is new, or names a version, is resolved."""
    records: dict[str, ServiceRecord] = {}
    for name, service in services.items():
        known = state.services.get(name)
        kept = dict(zip(known.definition.refs, known.pinned, strict=True)) if known else {}
        pinned = tuple(_pin(ref, kept.get(ref), own, elsewhere.lenders) for ref in service.refs)
        records[name] = ServiceRecord(service, pinned)
    return records


def _pin(
    ref: str, kept: PinnedFeature | None, own: Published, lenders: Mapping[str, Published]
) -> PinnedFeature:
    wanted = parse_ref(ref)
    abroad = foreign(wanted, own.namespace)
    holder = lenders.get(str(wanted.namespace)) if abroad else own
    if kept is not None and holder is not None and _still_there(kept, holder):
        return kept
    return resolve_foreign(wanted, lenders) if abroad else own.resolve(wanted)


def _still_there(pin: PinnedFeature, published: Published) -> bool:
    key = pin.view.removeprefix(f"{published.namespace}/")
    holder = published.on_demand.get(key) if pin.on_demand else published.views.get(key)
    if holder is None:
        return False
    return any((f.name, f.version) == (pin.feature, pin.version) for f in holder.features)
