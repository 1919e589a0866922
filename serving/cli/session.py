"""What the model commands share: the open room, who acts, and a version's facts."""

from collections.abc import Callable
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
    }


def decision(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments that approving, rejecting and promoting share."""
    version = click.argument("version")(token_option(with_output(function)))
    return click.argument("name")(version)
