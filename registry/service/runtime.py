"""What changes at run time and never from code: quarantine, release, old versions, generations."""

from collections.abc import Callable
from dataclasses import replace

from registry.core.audit import Checkpoint, Event
from registry.core.evidence import missing
from registry.core.lifecycle import check_move, move_of
from registry.core.lines import settle_lines
from registry.core.owners import same_subject
from registry.core.published import KEY_FORMAT, PinnedFeature, Published
from registry.core.state import FeatureRecord, NamespaceState, ViewLine
from registry.kernel.errors import Forbidden, NotFound, Refused
from registry.kernel.refs import parse_ref
from registry.ports import Principal, Transaction
from registry.service.apply import keep_checkpoint, mark_checkpoint
from registry.service.check import readers_of
from registry.service.context import Context
from registry.service.evidence import stored_results
from registry.service.publishing import lent_lines, publish_state

Step = Callable[[NamespaceState, Transaction], NamespaceState]


def quarantine(
    context: Context, namespace: str, ref: str, principal: Principal, reason: str
) -> Published:
    """Take a feature out of trust; what lookups then answer is its staleness policy's say.

    A view's name means every feature of it that may be quarantined. A person does it for a reason;
    a bot needs the stored failure of a check, else `Refused`.
    """

    def step(state: NamespaceState, transaction: Transaction) -> NamespaceState:
        for record in _records(state, ref, "production", "deprecated"):
            check_move(record.ref, record.state, "quarantined", "run time")
            if principal.bot:
                _check_failed(transaction, namespace, record)
            changed = replace(
                record, state="quarantined", before_quarantine=record.state, since=context.clock()
            )
            state = _with_record(state, changed)
        return state

    return _changed(context, namespace, step, principal, "feature:state:quarantined", ref, reason)


def release(
    context: Context, namespace: str, ref: str, principal: Principal, reason: str
) -> Published:
    """Give a quarantined feature, or all such of a view, its former state back.

    Raises `Refused` while the last stored result of one of its checks is a failure.
    """

    def step(state: NamespaceState, transaction: Transaction) -> NamespaceState:
        for record in _records(state, ref, "quarantined"):
            after = record.before_quarantine or "production"
            check_move(record.ref, record.state, after, "run time")
            _check_mended(transaction, namespace, record, after)
            changed = replace(record, state=after, before_quarantine=None, since=context.clock())
            state = _with_record(state, changed)
        return state

    return _changed(context, namespace, step, principal, "feature:state:released", ref, reason)


def retire_version(
    context: Context,
    namespace: str,
    ref: str,
    principal: Principal,
    reason: str,
    approver: Principal | None = None,
) -> Published:
    """Retire an old version that a newer one has replaced. `ref` names the version.

    Raises `Refused` when it is the newest (remove that in code), or while something reads it unless
    another steward, `approver`, consents.
    """
    if approver is not None:
        _check_other(principal, approver)

    def step(state: NamespaceState, transaction: Transaction) -> NamespaceState:
        record = _record(state, ref)
        _check_superseded(state, record)
        found = readers_of(state, transaction).get(record.ref, ())
        reading = [reader for reader in found if not reader.quiet(context.clock())]
        if reading and approver is None:
            raise Refused(
                f"{record.ref} is still read",
                f"by {', '.join(map(str, reading))}",
                "move its readers first, or ask another steward: --approved-by TOKEN",
            )
        changed = _with_record(state, replace(record, state="retired", since=context.clock()))
        return _settled(changed, lent_lines(context, transaction, changed))

    said = f"{reason} (approved by {approver.subject})" if approver is not None else reason
    return _changed(context, namespace, step, principal, "feature:state:retired", ref, said)


def _check_failed(transaction: Transaction, namespace: str, record: FeatureRecord) -> None:
    results = stored_results(transaction, namespace, [record])[record.ref]
    if not any(r.meaning == record.meaning and not r.passed for r in results):
        raise Refused(
            f"{record.ref} cannot be quarantined by a bot",
            "no failed check of it is stored",
            "store one (fieldhouse materialize, fieldhouse parity), or let a steward do it",
        )


def _check_mended(
    transaction: Transaction, namespace: str, record: FeatureRecord, after: str
) -> None:
    move = move_of(record.state, after, "run time")
    assert move is not None, "the move was checked"
    results = stored_results(transaction, namespace, [record])[record.ref]
    lacking = missing(move, record.ref, record.meaning, results)
    if lacking:
        raise Refused(
            f"{record.ref} stays quarantined",
            "; ".join(what for what, _ in lacking),
            f"mend it, then run: {' and '.join(command for _, command in lacking)}",
        )


def _check_other(principal: Principal, approver: Principal) -> None:
    """Raise `Forbidden` unless the approver is another person with the role steward."""
    if same_subject(principal.subject, approver.subject):
        raise Forbidden(f"{approver.subject} asks for this", "who asks never approves")
    if approver.bot or "steward" not in approver.roles:
        raise Forbidden(
            f"{approver.subject} may not approve this", hint="it takes a person with role steward"
        )


def switch_generation(
    context: Context, namespace: str, view_key: str, generation: int, actor: str
) -> Published:
    """Make a line's generation the one that readers use, and the line ready.

    Services that read a feature of the same version from an older line move to this one, which now
    has its values; an older line that nobody needs any more is retired.
    """

    def step(state: NamespaceState, transaction: Transaction) -> NamespaceState:
        line = state.lines.get(view_key)
        if line is None or line.retired:
            raise NotFound("feature view", view_key, state.lines)
        if line.generation == generation and line.ready and not line.rebuild:
            return state
        key_format = line.key_format if generation == line.generation else KEY_FORMAT
        moved = replace(
            line, generation=generation, ready=True, rebuild=False, key_format=key_format
        )
        after = _repinned(replace(state, lines={**state.lines, view_key: moved}), moved)
        return _settled(after, lent_lines(context, transaction, after))

    principal = Principal(actor, frozenset({"operator"}), bot=True)
    return _changed(
        context, namespace, step, principal, "view:generation", view_key, str(generation)
    )


def _changed(
    context: Context,
    namespace: str,
    step: Step,
    principal: Principal,
    action: str,
    subject: str,
    reason: str,
) -> Published:
    mark: Checkpoint | None = None
    with context.store.write() as transaction:
        before = transaction.state(namespace)
        after = step(before, transaction)
        if after is not before:
            after = replace(after, number=before.number + 1)
            transaction.save_state(before, after)
            publish_state(context, transaction, after, principal.subject)
            chained = transaction.append(
                Event(context.clock(), principal.subject, action, name, reason, namespace)
                for name in _touched(before, after, subject)
            )
            mark = mark_checkpoint(context, transaction, chained[-1])
        published = transaction.published(namespace)
    if mark is not None:
        keep_checkpoint(context, mark)
    assert published is not None, "a namespace with a view has a published state"
    return published


def _touched(before: NamespaceState, after: NamespaceState, subject: str) -> list[str]:
    """What an event names: the subject, or each feature of the view that it stands for."""
    moved = [ref for ref, r in after.features.items() if _state(before, ref) != r.state]
    return [subject] if ":" in subject or not moved else sorted(moved)


def _state(state: NamespaceState, ref: str) -> str | None:
    record = state.features.get(ref)
    return record.state if record is not None else None


def _records(state: NamespaceState, ref: str, *states: str) -> list[FeatureRecord]:
    """The feature of a reference, or those of a view that are in one of the states."""
    if ":" in ref:
        return [_record(state, ref)]
    held = [r for r in state.features.values() if r.view == ref]
    if not held:
        raise NotFound("feature view", ref, {r.view for r in state.features.values()})
    found = [r for r in held if r.state in states]
    if not found:
        raise Refused(f"no feature of {ref} is {' or '.join(states)}")
    return found


def _record(state: NamespaceState, ref: str) -> FeatureRecord:
    wanted = parse_ref(ref)
    found = [
        r
        for r in state.features.values()
        if (r.view, r.name) == (wanted.view, wanted.feature) and wanted.version in (None, r.version)
    ]
    if not found:
        raise NotFound("feature", ref, (r.ref for r in state.features.values()))
    return max(found, key=lambda r: r.version)


def _with_record(state: NamespaceState, record: FeatureRecord) -> NamespaceState:
    return replace(state, features={**state.features, record.ref: record})


def _check_superseded(state: NamespaceState, record: FeatureRecord) -> None:
    newest = max(r.version for r in state.features.values() if r.short_ref == record.short_ref)
    if not record.live:
        raise Refused(f"{record.ref} is {record.state} already")
    if record.version == newest:
        raise Refused(
            f"{record.ref} is the newest version",
            hint="retire it by removing it from the repository",
        )


def _settled(state: NamespaceState, lent: frozenset[str]) -> NamespaceState:
    lines, features = settle_lines(state.lines, state.features, state.services, lent)
    return replace(state, lines=lines, features=features)


def _repinned(state: NamespaceState, line: ViewLine) -> NamespaceState:
    services = {
        name: replace(record, pinned=tuple(_moved_pin(pin, state, line) for pin in record.pinned))
        for name, record in state.services.items()
    }
    return replace(state, services=services)


def _moved_pin(pin: PinnedFeature, state: NamespaceState, line: ViewLine) -> PinnedFeature:
    if pin.on_demand or pin.view.split("@")[0] != line.name:
        return pin
    record = state.features.get(f"{line.name}:{pin.feature}@{pin.version}")
    if record is None or line.line not in record.lines:
        return pin
    return replace(pin, view=line.key)
