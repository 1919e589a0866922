"""`model allow-retraining` and `model approve-retrained`: a policy now, versions later."""

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output
from serving.cli.session import decision, facts_of, open_room, principal


@click.command("allow-retraining")
@click.argument("name")
@click.option("--comment", required=True, help="Why this is safe.")
@click.option("--max-loss", default=0.002, show_default=True, help="Metric below the champion's.")
@click.option("--max-memory", default=1.25, show_default=True, help="Memory limit over the base's.")
@click.option("--max-cpu", default=2.0, show_default=True, help="Processor time over the base's.")
@click.option("--max-versions", default=12, show_default=True, help="Then a person looks again.")
@click.option("--as", "role", metavar="ROLE", help="In which role, when you hold several.")
@token_option
@with_output
def allow_retraining(
    name: str,
    comment: str,
    max_loss: float,
    max_memory: float,
    max_cpu: float,
    max_versions: int,
    role: str | None,
    token: str | None,
    out: Output,
) -> None:
    """Let versions retrained by the champion's own pipeline pass within guard rails.

    Each role of serving.approvers declares it, with the same rails, each by another person. Code,
    lock, signature, features and gate policy must be the champion's; data and trees may differ.

    \b
    Example:
      fieldhouse model allow-retraining flight_delay --comment "weekly, same code"
    """
    from serving.retraining import Rails

    room = open_room()
    by = principal(room, token)
    rails = Rails(max_loss, max_memory, max_cpu, max_versions)
    out.data(facts_of(room.allow_retraining(name, rails, by, comment, role)))


@click.command("approve-retrained")
@decision
def approve_retrained(name: str, version: str, token: str | None, out: Output) -> None:
    """Approve a gated version by the policy declared on the champion it was retrained from.

    Status 1 with every guard rail that it breaks.

    \b
    Example:
      fieldhouse model approve-retrained flight_delay 3654e2c49619
    """
    room = open_room()
    by = principal(room, token, "author", "owner", "operator")
    out.data(facts_of(room.approve_retrained(name, version, by)))
