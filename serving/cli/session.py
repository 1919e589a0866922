"""What the model commands share: the open room, who acts, and a version's facts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from registry.cli.session import project_settings, token_option
from registry.kernel.output import with_output

if TYPE_CHECKING:
    from registry.ports import ModelRecord, Principal
    from serving.bootstrap import Serving


def open_room(own_process: bool = False) -> "Serving":
    from serving.bootstrap import open_serving

    return open_serving(project_settings(), own_process=own_process)


def principal(room: "Serving", token: str | None, *roles: str) -> "Principal":
    from registry.settings import TOKEN

    return room.registry.authority(token or str(room.settings.get(TOKEN)) or None, *roles)


def facts_of(record: "ModelRecord") -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "state": record.state,
        "bundle": record.bundle_digest,
        "by": record.created_by,
        "at": record.created_at,
        "approvals": _approvals(record),
    }


def _approvals(record: "ModelRecord") -> str:
    words = [entry["approval"] for entry in record.facts.get("approvals") or ()]
    return ", ".join(f"{word['role']}: {word['approved_by']}" for word in words)


def missing_roles(needs: Sequence[str], record: "ModelRecord") -> list[str]:
    """The roles that have not approved yet."""
    given = {entry["approval"]["role"] for entry in record.facts.get("approvals") or ()}
    return [role for role in needs if role not in given]


def decision(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments that approving, rejecting and promoting share."""
    version = click.argument("version")(token_option(with_output(function)))
    return click.argument("name")(version)
