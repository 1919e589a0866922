"""From what the registry knows to what the data plane obeys. Pure."""

from collections.abc import Mapping
from datetime import datetime

from registry.core.borrowing import borrow
from registry.core.definitions import Governance
from registry.core.published import (
    Published,
    PublishedFeature,
    PublishedOnDemand,
    PublishedService,
    PublishedView,
    RetiredFeature,
)
from registry.core.state import FeatureRecord, NamespaceState, OnDemandRecord, ViewLine


def publish(
    state: NamespaceState, at: datetime, lenders: Mapping[str, Published] | None = None
) -> Published:
    """The published state of a namespace state; `at` is the instant of publication, in UTC.

    `lenders` are the published states of the namespaces that its services read from, by name.
    """
    held = _by_line(state)
    borrowed = borrow(state.services.values(), lenders or {})
    return Published(
        number=state.number,
        at=at,
        namespace=state.namespace,
        views={
            key: _view(state.namespace, line, held.get((line.name, line.line), []))
            for key, line in state.lines.items()
            if not line.retired
        },
        on_demand={
            key: _on_demand(state.namespace, record, held.get((record.name, record.line), []))
            for key, record in state.on_demand.items()
            if not record.retired
        },
        services={
            name: PublishedService(
                state.namespace,
                name,
                record.pinned,
                record.definition.owner,
                record.definition.description,
            )
            for name, record in state.services.items()
        },
        retired=(
            *(_retired(r) for r in state.features.values() if r.state == "retired"),
            *borrowed.retired,
        ),
        borrowed=borrowed.views,
        borrowed_on_demand=borrowed.on_demand,
    )


def _by_line(state: NamespaceState) -> dict[tuple[str, int], list[FeatureRecord]]:
    held: dict[tuple[str, int], list[FeatureRecord]] = {}
    for record in state.features.values():
        if record.live:
            for line in record.lines:
                held.setdefault((record.view, line), []).append(record)
    return held


def _view(namespace: str, line: ViewLine, records: list[FeatureRecord]) -> PublishedView:
    definition = line.definition
    order = {f.name: position for position, f in enumerate(definition.features)}
    records = sorted(records, key=lambda r: order.get(r.name, len(order)))
    return PublishedView(
        namespace=namespace,
        name=definition.name,
        line=line.line,
        entities=definition.entities,
        join_keys=definition.join_keys,
        source=definition.source,
        features=tuple(published_feature(r) for r in records),
        row_schemas=line.row_schemas,
        ttl_seconds=definition.ttl_seconds,
        online=definition.online,
        generation=line.generation,
        ready=line.ready,
        rebuild=line.rebuild,
        domain=definition.domain,
        expectations=definition.expectations,
        key_format=line.key_format,
    )


def _on_demand(
    namespace: str, record: OnDemandRecord, records: list[FeatureRecord]
) -> PublishedOnDemand:
    definition = record.definition
    return PublishedOnDemand(
        namespace=namespace,
        name=definition.name,
        mode=definition.mode,
        entry=definition.entry,
        code=definition.code,
        code_digest=record.code_digest,
        features=tuple(published_feature(r) for r in sorted(records, key=lambda r: r.name)),
        inputs=definition.inputs,
        request_fields=definition.request_fields,
        line=record.line,
    )


def published_feature(record: FeatureRecord) -> PublishedFeature:
    """One feature version as the data plane sees it."""
    facts: Governance = record.facts
    return PublishedFeature(
        name=record.name,
        dtype=record.dtype,
        version=record.version,
        state=record.state,
        meaning=record.meaning,
        owner=facts.owner or "",
        description=facts.description or "",
        unit=facts.unit or "",
        sensitivity=facts.sensitivity or "internal",
        staleness=facts.staleness or "null",
        default=facts.default,
        sunset=facts.sunset,
        replaced_by=facts.replaced_by,
    )


def _retired(record: FeatureRecord) -> RetiredFeature:
    return RetiredFeature(record.view, record.name, record.version, record.facts.replaced_by)
