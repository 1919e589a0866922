"""`show` and `lineage`: what is registered, where it comes from and who reads it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.core.readers import Readers
    from registry.core.state import FeatureRecord, NamespaceState
    from registry.ports import DatasetRecord


@click.command()
@click.argument("name", required=False)
@with_output
def show(name: str | None, out: Output) -> None:
    """Show what is registered: all features, one view, one feature or one service.

    \b
    Example:
      fieldhouse show
      fieldhouse show carrier_performance:late_rate_30d
      fieldhouse show flight_delay
    """
    state, readers = _read(name)
    if name is None:
        out.data([_row(record, readers) for record in _live(state)])
        return
    if name in state.services:
        out.data(_service(state, name))
        return
    records = _named(state, name)
    if ":" in name:
        used = _usage(records)
        whole = [{**_whole(record, readers), "used": used[record.ref]} for record in records]
        out.data(whole, _facts(whole))
        return
    out.data([_row(record, readers) for record in records])


@click.command()
@click.argument("name")
@with_output
def lineage(name: str, out: Output) -> None:
    """Trace a feature both ways: the tables it comes from, and who reads it.

    For a training set: its features and their tables, and the models trained on it.

    \b
    Example:
      fieldhouse lineage carrier_performance:late_rate_30d
      fieldhouse lineage flight_delay
    """
    from registry.cli.session import open_here, project_settings

    registry = open_here(project_settings())
    sets = {record.name: record for record in registry.datasets.all()}
    state, readers = _read(name)
    if name in sets:
        models = [
            f"{model.name}@{model.version}"
            for model in registry.models.all()
            if model.facts.get("training_set") == name
        ]
        facts = _set_lineage(sets[name], state, models)
        out.data(facts, _set_text(facts))
        return
    out.data(
        [
            {
                "feature": record.ref,
                "tables": _tables(record, state),
                **({"moved from": past} if (past := record.facts.moved_from) else {}),
                "readers": [str(reader) for reader in readers.get(record.ref, ())],
            }
            for record in _named(state, name, sets)
        ]
    )


def _tables(record: "FeatureRecord", state: "NamespaceState") -> list[str]:
    from registry.core.digests import source_tables

    line = state.lines.get(record.view)
    if line is None or line.definition.source is None:
        return []
    source = line.definition.source.history
    return [source.table] if source.table else sorted(source_tables(source.query or ""))


def _set_lineage(
    record: "DatasetRecord", state: "NamespaceState", models: list[str]
) -> dict[str, Any]:
    known = {feature.short_ref: feature for feature in state.features.values()}
    known |= {feature.ref: feature for feature in state.features.values()}
    features = [
        {
            "feature": ref,
            "state": known[ref].state if ref in known else "not known any more",
            "tables": _tables(known[ref], state) if ref in known else [],
        }
        for ref in record.features
    ]
    return {
        "training set": record.name,
        "manifest": record.manifest_digest,
        "built": record.created_at,
        "by": record.created_by,
        "rows": record.rows,
        "location": record.location,
        "models": models,
        "features": features,
    }


def _set_text(facts: dict[str, Any]) -> str:
    from registry.kernel.output import as_text, facts_text, plain

    said = plain(facts)
    head = {name: value for name, value in said.items() if name != "features" and value != []}
    return f"{facts_text(head)}\n\n{as_text(said['features'])}"


def _read(name: str | None) -> "tuple[NamespaceState, Readers]":
    """The namespace that a name begins with (`weather/stats:wind`), else the project's own."""
    from registry.cli.session import open_here, project_settings
    from registry.service.check import readers_of

    registry = open_here(project_settings())
    namespace, slash, _ = (name or "").partition("/")
    with registry.context.store.read() as transaction:
        state = transaction.state(namespace if slash else registry.namespace)
        return state, readers_of(state, transaction)


def _live(state: "NamespaceState") -> "list[FeatureRecord]":
    return sorted((r for r in state.features.values() if r.live), key=lambda r: r.ref)


def _named(state: "NamespaceState", name: str, sets: Iterable[str] = ()) -> "list[FeatureRecord]":
    from registry.kernel.errors import NotFound

    wanted = name.removeprefix(f"{state.namespace}/")
    records = sorted(state.features.values(), key=lambda r: r.ref)
    found = [r for r in records if wanted in (r.view, r.short_ref, r.ref)]
    if not found:
        known = {x for r in records for x in (r.view, r.short_ref)} | set(state.services)
        what = "feature, view or training set" if sets else "feature, view or service"
        raise NotFound(what, name, known | set(sets))
    return found


def _row(record: "FeatureRecord", readers: "Readers") -> dict[str, Any]:
    return {
        "feature": record.ref,
        "type": record.dtype,
        "state": record.state,
        "owner": record.facts.owner,
        "unit": record.facts.unit,
        "readers": len(readers.get(record.ref, ())),
        "description": record.facts.description,
    }


def _whole(record: "FeatureRecord", readers: "Readers") -> dict[str, Any]:
    return {
        **_row(record, readers),
        "meaning": record.meaning,
        "facets": dict(record.facets),
        "since": record.since,
        "sunset": record.facts.sunset,
        "replaced_by": record.facts.replaced_by,
        "moved_from": record.facts.moved_from,
        "readers": [str(reader) for reader in readers.get(record.ref, ())],
    }


def _usage(records: "list[FeatureRecord]") -> dict[str, list[dict[str, Any]]]:
    """How often each was looked up, by service and caller; the most used first."""
    from registry.cli.session import open_here, project_settings

    book = open_here(project_settings()).usage
    return {
        record.ref: [
            {
                "service": used.service,
                "caller": used.caller,
                "requests": used.requests,
                "rows": used.rows,
                "last": used.last_at,
            }
            for used in book.all(record.ref)
        ]
        for record in records
    }


def _facts(records: list[dict[str, Any]]) -> str:
    from registry.kernel.output import facts_text, plain

    parts = []
    for record in records:
        facets = record["facets"]
        used = [
            f"{one['requests']} times, {one['rows']} rows by {one['caller']} through "
            f"{one['service']}"
            for one in record["used"]
        ]
        shown = {**{k: v for k, v in record.items() if k != "facets"}, **facets, "used": used}
        parts.append(facts_text(plain({k: v for k, v in shown.items() if v not in (None, [], "")})))
    return "\n\n".join(parts)


def _service(state: "NamespaceState", name: str) -> dict[str, Any]:
    record = state.services[name]
    return {
        "service": name,
        "owner": record.definition.owner,
        "description": record.definition.description,
        "features": [f"{p.view}:{p.feature}@{p.version}" for p in record.pinned],
    }
