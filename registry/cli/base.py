"""Definitions of another git revision, as the state that they would have made."""

import subprocess
import tempfile
from pathlib import Path

from registry.cli.session import load_here
from registry.core.apply import apply_plan
from registry.core.planning import plan
from registry.core.state import NamespaceState
from registry.kernel.errors import Misuse, Refused
from registry.kernel.settings import Settings
from registry.settings import NAMESPACE, REPOSITORY, clock_of


def state_at(settings: Settings, revision: str) -> NamespaceState:
    """The namespace as the definitions of `revision` alone would make it.

    Raises `Misuse` when git does not know the revision, `Refused` when its definitions don't load.
    """
    empty = NamespaceState(str(settings.get(NAMESPACE)))
    with tempfile.TemporaryDirectory(prefix="fieldhouse-base-") as folder:
        if not _check_out(settings, revision, Path(folder)):
            return empty
        loaded = load_here(settings, Path(folder) / str(settings.get(REPOSITORY)))
    if loaded.compiled is None:
        raise Refused(f"the definitions of {revision} do not load", loaded.findings[0].message)
    planned = plan(loaded.compiled, empty, {})
    return apply_plan(planned, loaded.compiled, empty, clock_of(settings)())


def _check_out(settings: Settings, revision: str, folder: Path) -> bool:
    """Unpack the repository folder of a revision; False when the revision has none."""
    repository = str(settings.get(REPOSITORY))
    if _git(settings, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        raise Misuse(f"git knows no revision {revision!r}", hint="name a branch, tag or commit")
    archive = _git(settings, "archive", "--format=tar", revision, "--", repository)
    if archive is None:
        return False
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return True


def _git(settings: Settings, *arguments: str) -> bytes | None:
    command = ["git", "-C", str(settings.root), *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
