"""Publishing a namespace's state, and with it the state of whoever borrows from it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from registry.core.audit import Event
from registry.core.borrowing import (
    Elsewhere,
    home_pins,
    lender_of,
    lenders_named,
    placed,
    replaced_pins,
)
from registry.core.publish import publish
from registry.core.published import Published
from registry.core.state import NamespaceState
from registry.ports import Transaction
from registry.service.context import Context


def publish_state(
    context: Context, transaction: Transaction, after: NamespaceState, actor: str
) -> Published:
    """Append what `after` publishes. Each namespace that borrows what changes by it is published
    anew in the same transaction, its pins moved to where their versions lie now, with an event."""
    published = _append(context, transaction, after)
    borrowers = dict.fromkeys(name for name, _ in transaction.borrowers(after.namespace))
    for name in borrowers:
        _publish_borrower(context, transaction, name, published, actor)
    return published


def elsewhere(
    context: Context, transaction: Transaction, state: NamespaceState, refs: Iterable[str] = ()
) -> Elsewhere:
    """What a namespace must know of others: those that its services read from and those that
    `refs`, of services to come, name; and which of its own lines others are pinned to."""
    names = lenders_named(refs, state.namespace) | _lender_names(state)
    found = {name: transaction.published(name) for name in names}
    lenders = {name: published for name, published in found.items() if published is not None}
    return Elsewhere(lenders, lent_lines(context, transaction, state))


def lent_lines(context: Context, transaction: Transaction, state: NamespaceState) -> frozenset[str]:
    """The keys of the lines that others' pins lie in, once moved to where their versions are."""
    services = [record for _, record in transaction.borrowers(state.namespace)]
    if not services:
        return frozenset()
    published = publish(state, context.clock())
    pins = home_pins(state.namespace, services)
    return frozenset(placed(pin, published).view for pin in pins)


def instant_of(context: Context, transaction: Transaction, namespace: str) -> datetime:
    """Now, or the instant of the newest published state when the clock jumped back before it."""
    newest = transaction.published(namespace)
    now = context.clock()
    return now if newest is None else max(now, newest.at)


def _append(context: Context, transaction: Transaction, state: NamespaceState) -> Published:
    found = {name: transaction.published(name) for name in _lender_names(state)}
    lenders = {name: published for name, published in found.items() if published is not None}
    published = publish(state, instant_of(context, transaction, state.namespace), lenders)
    transaction.publish(published)
    return published


def _publish_borrower(
    context: Context, transaction: Transaction, name: str, lender: Published, actor: str
) -> None:
    before = transaction.state(name)
    moved = replaced_pins(before, lender)
    known = transaction.published(name)
    lenders = {name: p for name in _lender_names(moved) if (p := transaction.published(name))}
    due = publish(moved, context.clock(), lenders)
    if moved is before and known is not None and _borrowed(due) == _borrowed(known):
        return
    after = replace(moved, number=before.number + 1)
    transaction.save_state(before, after)
    _append(context, transaction, after)
    transaction.append(
        [
            Event(
                context.clock(),
                actor,
                "namespace:lender-changed",
                lender.namespace,
                f"{lender.namespace} is at number {lender.number}",
                name,
            )
        ]
    )


def _borrowed(published: Published) -> tuple[object, ...]:
    gone = {gone for gone in published.retired if lender_of(gone.view)}
    return published.borrowed, published.borrowed_on_demand, gone


def _lender_names(state: NamespaceState) -> set[str]:
    pins = (pin for record in state.services.values() for pin in record.pinned)
    return {name for pin in pins if (name := lender_of(pin.view)) is not None}
