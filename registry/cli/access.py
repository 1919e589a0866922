"""`token`: who may do what. Tokens are told once and stored as hashes."""

from datetime import timedelta

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output


@click.group()
def token() -> None:
    """Issue, list and revoke tokens."""


@token.command()
@click.argument("subject")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="May be given several times.")
@click.option("--bot", is_flag=True, help="It is a program, whose approval never counts.")
@click.option("--days", type=click.IntRange(1), help="Until when it is good; for ever otherwise.")
@token_option
@with_output
def create(
    subject: str,
    roles: tuple[str, ...],
    bot: bool,
    days: int | None,
    token: str | None,
    out: Output,
) -> None:
    """Issue a token for SUBJECT and print it, once.

    The first token of a registry needs none and must be an admin's; later ones take an admin's.
    Roles: author, steward, operator, owner, reliability, recorder, admin.

    \b
    Example:
      fieldhouse token create ada@example.com --role admin
      fieldhouse token create ci --role author --bot --days 90
    """
    from registry.adapters.sql.tokens import ROLES
    from registry.cli.session import open_here, project_settings
    from registry.kernel.errors import Misuse
    from registry.ports import Principal
    from registry.settings import TOKEN

    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise Misuse(f"no role is called {', '.join(unknown)}", f"roles: {', '.join(ROLES)}")
    settings = project_settings()
    registry = open_here(settings)
    expires = None if days is None else registry.clock() + timedelta(days=days)
    admin = token or str(settings.get(TOKEN)) or None
    made = registry.issue_token(admin, Principal(subject, frozenset(roles), bot), expires)
    out.data({"subject": subject, "token": made}, made)


@token.command(name="list")
@token_option
@with_output
def list_(token: str | None, out: Output) -> None:
    """List tokens: whose, with which roles, and until when. Takes an admin's token.

    \b
    Example:
      fieldhouse token list
    """
    from registry.cli.session import open_here, project_settings
    from registry.settings import TOKEN

    settings = project_settings()
    out.data(open_here(settings).list_tokens(token or str(settings.get(TOKEN)) or None))


@token.command()
@click.argument("id")
@token_option
@with_output
def revoke(id: str, token: str | None, out: Output) -> None:
    """Revoke the token of that ID (see `token list`). Takes an admin's token.

    \b
    Example:
      fieldhouse token revoke 4f1d0c9a2b7e
    """
    from registry.cli.session import open_here, project_settings
    from registry.settings import TOKEN

    settings = project_settings()
    registry = open_here(settings)
    info = registry.revoke_token(token or str(settings.get(TOKEN)) or None, id)
    out.data(info, f"revoked the token of {info.subject}")
