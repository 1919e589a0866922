"""`model approve`, `reject`, `promote`, `rollback`, `live`: decisions, and what came of them."""

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output
from serving.cli.session import decision, facts_of, missing_roles, open_room, principal


@click.command()
@click.option("--comment", required=True, help="What convinced you.")
@click.option("--as", "role", metavar="ROLE", help="In which role, when you hold several.")
@decision
def approve(
    name: str, version: str, comment: str, role: str | None, token: str | None, out: Output
) -> None:
    """Approve a gated version, for your role; not when you packaged or gated it.

    Each role of serving.approvers must speak, each by another person. You sign the digests of the
    bundle, of the gate's report and of the resource profile.

    \b
    Example:
      fieldhouse model approve flight_delay 3654e2c49619 --comment "AUC up, latency fine"
      fieldhouse model approve flight_delay 3654e2c49619 --as reliability --comment "fits"
    """
    room = open_room()
    by = principal(room, token)
    record = room.approve(name, version, by, comment, role)
    out.data(facts_of(record))
    if record.state != "approved":
        out.say(f"still needed: {', '.join(missing_roles(room.approvers, record))}")


@click.command()
@click.option("--reason", required=True, help="Why not.")
@decision
def reject(name: str, version: str, reason: str, token: str | None, out: Output) -> None:
    """Reject a version for good.

    \b
    Example:
      fieldhouse model reject flight_delay 3654e2c49619 --reason "wrong label"
    """
    room = open_room()
    by = principal(room, token)
    out.data(facts_of(room.reject(name, version, by, reason)))


@click.command()
@decision
def promote(name: str, version: str, token: str | None, out: Output) -> None:
    """Make an approved version the one that answers.

    \b
    Example:
      fieldhouse model promote flight_delay 3654e2c49619
    """
    room = open_room()
    by = principal(room, token)
    out.data(facts_of(room.promote(name, version, by)))


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="What went wrong.")
@token_option
@with_output
def rollback(name: str, reason: str, token: str | None, out: Output) -> None:
    """Go back to the version that answered before; the present one is retired.

    \b
    Example:
      fieldhouse model rollback flight_delay --reason "p99 doubled"
    """
    room = open_room()
    by = principal(room, token)
    out.data(facts_of(room.rollback(name, by, reason)))


@click.command()
@click.argument("name")
@click.option(
    "--at", "at", metavar="TIME", help="An instant, such as 2013-10-01T12:00:00Z; else now."
)
@with_output
def live(name: str, at: str | None, out: Output) -> None:
    """Say which version answered at a time, by whose word, on what evidence. Status 1: none did.

    \b
    Example:
      fieldhouse model live flight_delay --at 2013-10-01T12:00:00Z
    """
    from registry.kernel.clock import parse_instant

    found = open_room().live(name, parse_instant(at) if at else None)
    if found is None:
        out.say(f"no version of {name} was live then")
        click.get_current_context().exit(1)
    out.data(found)
