"""What a repository would change in the registry. Pure: two values in, a list of changes out.

Compares by digests (decision 3): a meaning that differs, a text that differs, a declared state that
differs. Nothing is judged here; rules do that.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from registry.core.changes import Change, Difference, Plan, differing
from registry.core.compiled import Compiled
from registry.core.feature_changes import feature_changes, with_moves
from registry.core.moves import Pasts
from registry.core.readers import Reader, Readers
from registry.core.state import NamespaceState, newest_features, newest_lines, newest_on_demand
from registry.kernel.canonical import digest


def plan(
    compiled: Compiled, state: NamespaceState, readers: Readers, pasts: Pasts | None = None
) -> Plan:
    """Compare what the repository says with what the registry holds of its namespace.

    `pasts` are features of other namespaces that were moved here, by `namespace/view:feature`.
    """
    changes = [
        *_entity_changes(compiled, state),
        *_view_changes(compiled, state),
        *feature_changes(compiled, state, readers, pasts or {}),
        *_service_changes(compiled, state),
    ]
    changes = with_moves(changes, compiled, state)
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
            texts = differing(
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
            settings = differing(_view_settings(known.definition), _view_settings(view))
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
                differing({}, after),
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
        differences = differing(before, after)
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
