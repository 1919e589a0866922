"""Verifying the audit chain against its signed checkpoints."""

from dataclasses import dataclass

from registry.core.audit import Checkpoint, verify_chain
from registry.kernel.signing import verified
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
        marks = list(transaction.checkpoints())
        events = list(transaction.events())
    forged = [
        f"the checkpoint at row {mark.sequence} is not signed by this registry's key"
        for mark in marks
        if not _ours(mark, context.key.public)
    ]
    problems = verify_chain(events, marks)
    return AuditReport(len(events), len(marks), (*problems, *forged))


def _ours(mark: Checkpoint, key: str) -> bool:
    message = checkpoint_message(mark.sequence, mark.hash)
    return mark.key == key and verified(message, mark.signature, key)
