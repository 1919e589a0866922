"""`show` and `lineage`: what is registered, where it comes from and who reads it."""

from typing import TYPE_CHECKING, Any

import click

from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.core.readers import Readers
    from registry.core.state import FeatureRecord, NamespaceState


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
    state, readers = _read()
    if name is None:
        out.data([_row(record, readers) for record in _live(state)])
        return
    if name in state.services:
        out.data(_service(state, name))
        return
    records = _named(state, name)
    if ":" in name:
        out.data([_whole(record, readers) for record in records], _facts(records, readers))
        return
    out.data([_row(record, readers) for record in records])


@click.command()
@click.argument("name")
@with_output
def lineage(name: str, out: Output) -> None:
    """Trace a feature both ways: the tables it comes from, and who reads it.

    \b
    Example:
      fieldhouse lineage carrier_performance:late_rate_30d
    """
    from registry.core.digests import source_tables

    state, readers = _read()
    rows = []
    for record in _named(state, name):
        line = state.lines.get(record.view)
        source = line.definition.source.history if line is not None else None
        tables: list[str] = []
        if source is not None:
            tables = [source.table] if source.table else sorted(source_tables(source.query or ""))
        reading = [str(reader) for reader in readers.get(record.ref, ())]
        rows.append({"feature": record.ref, "tables": tables, "readers": reading})
    out.data(rows)


def _read() -> "tuple[NamespaceState, Readers]":
    from registry.cli.session import open_here, project_settings
    from registry.service.check import readers_of

    registry = open_here(project_settings())
    with registry.context.store.read() as transaction:
        state = transaction.state(registry.namespace)
        return state, readers_of(state, transaction)


def _live(state: "NamespaceState") -> "list[FeatureRecord]":
    return sorted((r for r in state.features.values() if r.live), key=lambda r: r.ref)


def _named(state: "NamespaceState", name: str) -> "list[FeatureRecord]":
    from registry.kernel.errors import NotFound

    wanted = name.removeprefix(f"{state.namespace}/")
    records = sorted(state.features.values(), key=lambda r: r.ref)
    found = [r for r in records if wanted in (r.view, r.short_ref, r.ref)]
    if not found:
        known = {x for r in records for x in (r.view, r.short_ref)} | set(state.services)
        raise NotFound("feature, view or service", name, known)
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
        "readers": [str(reader) for reader in readers.get(record.ref, ())],
    }


def _facts(records: "list[FeatureRecord]", readers: "Readers") -> str:
    from registry.kernel.output import facts_text, plain

    parts = []
    for record in records:
        whole = _whole(record, readers)
        facets = whole.pop("facets")
        shown = {**whole, **facets}
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
