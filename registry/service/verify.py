"""Verifying the audit chain against its signed checkpoints."""

from dataclasses import dataclass

from registry.core.audit import Checkpoint, verify_chain
from registry.kernel.signing import verified
from registry.ports import Transaction
from registry.service.apply import checkpoint_message
from registry.service.context import Context


@dataclass(frozen=True, slots=True)
class AuditReport:
    """How much was read, and what is wrong, a sentence each."""

    events: int
    checkpoints: int
    problems: tuple[str, ...]


def verify_audit(context: Context) -> AuditReport:
    """Read the whole chain and every checkpoint; only checkpoints of our own key are believed."""
    with context.store.read() as transaction:
        marks = _all_marks(context, transaction)
        events = list(transaction.events())
    forged = [
        f"the checkpoint at row {mark.sequence} is not signed by this registry's key"
        for mark in marks
        if not _ours(mark, context.key.public)
    ]
    problems = verify_chain(events, marks)
    return AuditReport(len(events), len(marks), (*problems, *forged))


def _all_marks(context: Context, transaction: Transaction) -> list[Checkpoint]:
    """The database's checkpoints and those kept outside it, each once, in order."""
    outside = context.checkpoints.all() if context.checkpoints is not None else ()
    marks = {(m.sequence, m.hash): m for m in (*outside, *transaction.checkpoints())}
    return [marks[place] for place in sorted(marks)]


def _ours(mark: Checkpoint, key: str) -> bool:
    message = checkpoint_message(mark.sequence, mark.hash)
    return mark.key == key and verified(message, mark.signature, key)
