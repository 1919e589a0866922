"""Which revision of the code a folder is at, asked of git. None where there is no git checkout."""

import subprocess
from pathlib import Path

_SECONDS = 10


def code_revision(folder: Path) -> str | None:
    """The commit checked out in `folder`, with `+changes` when files differ from it."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
