"""`proposals`: what has been put forward, and what it still takes."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.service.propose import Standing


@click.group()
def proposals() -> None:
    """List proposals; show one with its changes and the approvals that it lacks."""


@proposals.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@with_output
def list_(everything: bool, out: Output) -> None:
    """List what waits for approval, or to be applied.

    \b
    Example:
      fieldhouse proposals list
    """
    from registry.cli.session import open_here, project_settings
    from registry.kernel.canonical import short
    from registry.service.propose import standing

    registry = open_here(project_settings())
    with registry.context.store.read() as transaction:
        ask = transaction.proposals if everything else transaction.pending
        found = [standing(registry.context, transaction, p) for p in ask(registry.namespace)]
    out.data(
        [
            {
                "digest": s.proposal.digest if out.as_json else short(s.proposal.digest),
                "status": s.proposal.status,
                "proposed by": ", ".join(s.proposal.proposers),
                "changes": len(s.proposal.plan.changes),
                "missing": s.missing,
                "from": s.proposal.origin,
                "reason": s.proposal.reason,
            }
            for s in found
        ]
    )


@proposals.command()
@click.argument("digest")
@with_output
def show(digest: str, out: Output) -> None:
    """Show one proposal: its changes, who approved it, and which approvals are missing.

    \b
    Example:
      fieldhouse proposals show 1f0c2a
    """
    from registry.cli.session import open_here, project_settings
    from registry.service.propose import standing
    from registry.service.questions import findings_now

    registry = open_here(project_settings())
    with registry.context.store.read() as transaction:
        stands = standing(registry.context, transaction, transaction.proposal(digest))
        findings = findings_now(registry.context, transaction, stands.proposal.findings)
    stands = replace(stands, proposal=replace(stands.proposal, findings=findings))
    out.data(proposal_document(stands), _text(stands))


def proposal_document(stands: "Standing") -> dict[str, object]:
    """A proposal as data: its changes, whose word it has, what it lacks."""
    from registry.kernel.output import plain

    proposal = stands.proposal
    return {
        "digest": proposal.digest,
        "status": proposal.status,
        "proposers": list(proposal.proposers),
        "reason": proposal.reason,
        "from": proposal.origin,
        "commit": proposal.commit,
        "needs": [str(need) for need in stands.needs],
        "missing": [str(lack) for lack in stands.lacks],
        "questions": plain(stands.questions),
        "approvals": plain(stands.approvals),
        "plan": plain(proposal.plan),
        "findings": plain(proposal.findings),
    }


def _text(stands: "Standing") -> str:
    from registry.kernel.clock import format_instant
    from registry.reports.text import findings_text, plan_text, standing_text

    proposal = stands.proposal
    reason = f": {proposal.reason}" if proposal.reason else ""
    parts = [
        plan_text(proposal.plan),
        findings_text(proposal.findings),
        f"proposed by {', '.join(proposal.proposers)}{reason}",
        *(
            f"approved by {a.subject} at {format_instant(a.at)} {a.comment}"
            for a in stands.approvals
        ),
        standing_text(stands.proposal.status, stands.missing, stands.lacks, stands.questions),
    ]
    return "\n".join(part for part in parts if part)
