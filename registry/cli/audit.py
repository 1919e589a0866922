"""`audit`: what was done, by whom, and whether the record is whole."""

from typing import TYPE_CHECKING, Any

import click

from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.core.audit import ChainedEvent


@click.group()
def audit() -> None:
    """Show, verify and export the audit chain."""


@audit.command()
@click.option("--subject", help="Only events about this feature, proposal, model….")
@click.option("--at", "at", metavar="TIME", help="What was live at an instant, and by whose word.")
@click.option("--newest", type=click.IntRange(1), default=20, show_default=True)
@with_output
def show(subject: str | None, at: str | None, newest: int, out: Output) -> None:
    """Show the newest events, or what was live at a time. A feature that was moved is followed to
    what it was called before.

    \b
    Example:
      fieldhouse audit show --subject carrier_performance
      fieldhouse audit show --at 2013-10-01T12:00:00Z
    """
    from registry.cli.session import open_here, project_settings
    from registry.core.moves import moved_names
    from registry.kernel.clock import parse_instant
    from registry.reports.history import live_at

    registry = open_here(project_settings())
    with registry.context.store.read() as transaction:
        if at is not None:
            instant = parse_instant(at)
            published = transaction.published(registry.namespace, instant)
            out.data(live_at(published, list(transaction.events(subject, until=instant))))
            return
        names = (
            [subject]
            if subject is None
            else moved_names(transaction.state(registry.namespace), subject)
        )
        found = {c.sequence: c for name in names for c in transaction.events(name, newest=newest)}
    out.data([_row(found[place]) for place in sorted(found)[-newest:]])


@audit.command()
@with_output
def verify(out: Output) -> None:
    """Check that no row was edited, removed, reordered or cut off. Exits 1 when one was.

    \b
    Example:
      fieldhouse audit verify
    """
    from registry.cli.session import open_here, project_settings
    from registry.service.verify import verify_audit

    registry = open_here(project_settings())
    report = verify_audit(registry.context)
    said = report.problems or (f"whole: {report.events} events, {report.checkpoints} checkpoints",)
    out.data(report, "\n".join(said))
    if report.problems:
        click.get_current_context().exit(1)


@audit.command()
@with_output
def export(out: Output) -> None:
    """Write every event as a line of JSON; with --json, all of them as one array.

    \b
    Example:
      fieldhouse audit export > audit.jsonl
    """
    import json

    from registry.cli.session import open_here, project_settings
    from registry.kernel.output import plain

    registry = open_here(project_settings())
    with registry.context.store.read() as transaction:
        if out.as_json:
            out.data(list(transaction.events()))
            return
        for event in transaction.events():
            click.echo(json.dumps(plain(event), ensure_ascii=False))


def _row(chained: "ChainedEvent") -> dict[str, Any]:
    event = chained.event
    return {
        "sequence": chained.sequence,
        "at": event.at,
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "reason": event.reason,
    }
