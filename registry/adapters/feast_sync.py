"""Brings Feast's SQL registry in step with a repository, after `apply`. Never our source of truth.

It happens in a process of its own, since it runs the repository's files and imports Feast. It may
be interrupted at any point: the next run does what is missing.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from registry.adapters.feast_loader import STARTUP_SECONDS, unfinished
from registry.adapters.feature_store import feature_store_yaml
from registry.adapters.limited_process import run_limited
from registry.core.findings import Finding

RUNNER = "registry.adapters.feast_sync_runner"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The views that Feast's registry now holds, sorted; findings say why it could not be done."""

    views: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def done(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)


_DECODER = msgspec.json.Decoder(SyncResult)


def sync_feast(
    folder: Path,
    feast_registry: str | Path,
    project: str,
    *,
    seconds: float = 120.0,
    memory_mb: int = 4096,
) -> SyncResult:
    """Make Feast's registry hold exactly what the repository in `folder` defines, in `project`.

    `feast_registry` is a SQLAlchemy URL or the path of a SQLite file. What the repository no
    longer defines is deleted there. Doing it again changes nothing.
    """
    root = folder.resolve()
    with tempfile.TemporaryDirectory(prefix="fieldhouse-sync-") as scratch:
        out = Path(scratch)
        (out / "feature_store.yaml").write_text(feature_store_yaml(project, feast_registry))
        arguments = [sys.executable, "-P", "-m", RUNNER, str(root), project]
        arguments += [str(out), str(seconds), str(memory_mb)]
        limit = 2 * seconds + STARTUP_SECONDS
        outcome = run_limited(arguments, folder=root, seconds=limit)
        try:
            return _DECODER.decode((out / "result.json").read_bytes())
        except (OSError, msgspec.MsgspecError):
            return SyncResult((), (unfinished(out, root, outcome, seconds),))
