"""What the registry's commands share: opening, loading, and the options that several have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from registry.kernel.errors import Misuse
from registry.kernel.settings import FILE_NAME, Settings, read_settings
from registry.ports import CommandPorts
from registry.settings import COMPARE_VALUES, HOME, NAMESPACE, REGISTRY_URL, REPOSITORY, TOKEN

if TYPE_CHECKING:
    from registry.bootstrap import SqlRegistry
    from registry.core.compiled import Compiled
    from registry.core.definitions import Repository
    from registry.core.findings import Finding
    from registry.ports import Principal

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Loaded:
    """The repository as it was read. `compiled` is None when findings stood in the way."""

    compiled: "Compiled | None"
    findings: "tuple[Finding, ...]"


def project_settings() -> Settings:
    """The settings in force in the working folder."""
    return read_settings(Path.cwd())


def open_here(settings: Settings) -> "SqlRegistry":
    """The registry of these settings alone: for commands that judge no definitions."""
    from registry.bootstrap import open_registry

    _check_project(settings)
    return open_registry(settings)


def open_with_warehouse(settings: Settings, *, runs_code: bool = True) -> "SqlRegistry":
    """The same with what rules look at besides: the warehouse's columns and values, where the door
    joined them.

    `runs_code` False: definitions that are compared may be anybody's, so that no function in them
    is run.
    """
    from registry.bootstrap import open_registry

    _check_project(settings)
    context = click.get_current_context(silent=True)
    ports = context.find_object(CommandPorts) if context is not None else None
    tables = ports.tables(settings) if ports is not None and ports.tables is not None else None
    if ports is None or not settings.get(COMPARE_VALUES):
        return open_registry(settings, tables)
    stored = ports.sketches(settings) if ports.sketches is not None else None
    runs = ports.computed if runs_code else None
    return open_registry(settings, tables, stored, runs(settings) if runs is not None else None)


def _check_project(settings: Settings) -> None:
    """A registry is never made in a folder that is no project of ours."""
    configured = settings.find(REGISTRY_URL).origin != "default"
    if settings.file is None and not configured and not (settings.path(HOME)).is_dir():
        raise Misuse(
            f"there is no {FILE_NAME} at or above {settings.root}",
            hint="go to your project's folder, or make one: fieldhouse init DIR --data FILE",
        )


def load_here(settings: Settings, folder: Path | None = None) -> Loaded:
    """Load and compile the project's repository, or another folder of definitions."""
    from registry.adapters.feast_loader import load_repository

    result = load_repository(
        folder or settings.path(REPOSITORY),
        str(settings.get(NAMESPACE)),
        cache=settings.path(HOME) / "cache",
    )
    if result.repository is None:
        return Loaded(None, result.findings)
    return Loaded(compile_here(settings, result.repository), result.findings)


def compile_here(settings: Settings, repository: "Repository") -> "Compiled":
    """Compile a repository; views that stand as they did before are not compiled again."""
    from registry.adapters.compiled_cache import CompiledCache
    from registry.core.compile import compile_repository, compiled_views

    cache = CompiledCache(settings.path(HOME) / "cache")
    known = cache.read(repository.namespace)
    compiled = compile_repository(repository, known)
    cache.write(repository.namespace, compiled_views(compiled), known)
    return compiled


def principal_here(
    registry: "SqlRegistry", settings: Settings, token: str | None, *roles: str
) -> "Principal":
    """Who acts: the option `--token`, else the setting `auth.token`."""
    return registry.authority(token or str(settings.get(TOKEN)) or None, *roles)


def token_option(function: F) -> F:
    """The option `--token` of commands that act as somebody."""
    option = click.option(
        "--token", help=f"Whose word this is; else the environment's {TOKEN.env}.", metavar="TOKEN"
    )
    return option(function)
