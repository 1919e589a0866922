"""`model approve`, `reject`, `promote`, `rollback`: decisions, each by a person's token."""

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output
from serving.cli.session import decision, facts_of, open_room, principal


@click.command()
@click.option("--comment", required=True, help="What convinced you.")
@decision
def approve(name: str, version: str, comment: str, token: str | None, out: Output) -> None:
    """Approve a gated version; you must be an owner, and not who packaged or gated it.

    \b
    Example:
      fieldhouse model approve flight_delay 3654e2c49619 --comment "AUC up, latency fine"
    """
    room = open_room()
    by = principal(room, token, "owner")
    out.data(facts_of(room.approve(name, version, by, comment)))


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
    by = principal(room, token, "owner")
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
    by = principal(room, token, "owner", "operator", "reliability")
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
    by = principal(room, token, "owner", "operator", "reliability")
    out.data(facts_of(room.rollback(name, by, reason)))
