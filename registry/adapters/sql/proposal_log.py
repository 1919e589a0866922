"""Proposals and approvals in SQL."""

from collections.abc import Sequence

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import from_blob, from_text, instant_text, to_blob, to_text
from registry.adapters.sql.proposed import drop_proposed
from registry.core.policy import Approval
from registry.core.proposals import PENDING, Proposal
from registry.kernel.errors import NotFound, Refused


def save_proposal(connection: sa.Connection, proposal: Proposal) -> None:
    """Insert a proposal, or replace the one of the same digest."""
    row = {
        "digest": proposal.digest,
        "namespace": proposal.namespace,
        "status": proposal.status,
        "proposer": proposal.proposer,
        "proposer_bot": proposal.proposer_bot,
        "at": instant_text(proposal.at),
        "body": to_blob(proposal),
    }
    where = t.proposal.c.digest == proposal.digest
    if connection.execute(sa.update(t.proposal).where(where).values(row)).rowcount == 0:
        connection.execute(sa.insert(t.proposal).values(row))
    if proposal.status not in PENDING:
        drop_proposed(connection, proposal.digest)


def find_proposal(connection: sa.Connection, digest: str) -> Proposal:
    """By whole digest or by enough of its first digits.

    Raises `NotFound`, or `Refused` when several begin so.
    """
    prefix = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    query = sa.select(t.proposal.c.digest, t.proposal.c.body).where(
        t.proposal.c.digest.startswith(prefix, autoescape=True)
    )
    rows = connection.execute(query.limit(2)).all()
    if not rows:
        known = connection.execute(sa.select(t.proposal.c.digest)).scalars()
        raise NotFound("proposal", digest, known, "run fieldhouse propose first")
    if len(rows) > 1:
        raise Refused(f"several proposals begin with {digest}", hint="give more digits")
    return from_blob(rows[0].body, Proposal, f"proposal {digest}")


def pending_proposals(connection: sa.Connection, namespace: str) -> Sequence[Proposal]:
    """Those that are neither applied nor rejected nor superseded, oldest first."""
    query = (
        sa.select(t.proposal.c.body)
        .where(t.proposal.c.namespace == namespace, t.proposal.c.status.in_(PENDING))
        .order_by(t.proposal.c.at, t.proposal.c.digest)
    )
    bodies = connection.execute(query).scalars()
    return [from_blob(body, Proposal, "proposal") for body in bodies]


def all_proposals(connection: sa.Connection, namespace: str) -> Sequence[Proposal]:
    """All of a namespace, oldest first."""
    query = sa.select(t.proposal.c.body).where(t.proposal.c.namespace == namespace)
    bodies = connection.execute(query.order_by(t.proposal.c.at, t.proposal.c.digest)).scalars()
    return [from_blob(body, Proposal, "proposal") for body in bodies]


def save_approval(connection: sa.Connection, digest: str, approval: Approval) -> None:
    """One approval a person and proposal; a second one replaces the first."""
    where = (t.approval.c.proposal == digest) & (t.approval.c.subject == approval.subject)
    connection.execute(sa.delete(t.approval).where(where))
    row = {"proposal": digest, "subject": approval.subject, "body": to_text(approval)}
    connection.execute(sa.insert(t.approval).values(row))


def read_approvals(connection: sa.Connection, digest: str) -> list[Approval]:
    query = sa.select(t.approval.c.body).where(t.approval.c.proposal == digest)
    bodies = connection.execute(query.order_by(t.approval.c.subject)).scalars()
    return [from_text(body, Approval, "approval") for body in bodies]


def drop_approval(connection: sa.Connection, digest: str, subject: str) -> None:
    where = (t.approval.c.proposal == digest) & (t.approval.c.subject == subject)
    connection.execute(sa.delete(t.approval).where(where))
