"""Loads a feature repository: runs its files in another process with limits, or asks the cache.

This process never imports Feast and never runs a definition. The limits contain accidents; they
are no security boundary.
"""

import re
import sys
import tempfile
from pathlib import Path

import msgspec

from registry.adapters.limited_process import Outcome, run_limited
from registry.adapters.repository_cache import LoadResult, RepositoryCache, decode
from registry.adapters.repository_files import files_digest
from registry.core.definitions import Location
from registry.core.findings import Finding
from registry.kernel.canonical import digest

RUNNER = "registry.adapters.feast_runner"
# Importing Feast itself takes seconds, more on a busy machine: this comes before the limit starts.
STARTUP_SECONDS = 90.0
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)

__all__ = ["LoadResult", "load_repository"]


def load_repository(
    folder: Path,
    namespace: str,
    *,
    seconds: float = 60.0,
    memory_mb: int = 4096,
    cache: Path | None = None,
) -> LoadResult:
    """Read the definitions of a folder as a `Repository` of that namespace.

    What a file does wrong (it loops longer than `seconds`, takes more than `memory_mb`, exits,
    forks, prints, raises, is no Python, names two things alike) becomes one finding with its file
    and line. `cache` is the folder that keeps results by the digest of the files. Raises `Misuse`
    when there is no such folder.
    """
    root = folder.resolve()
    key = digest([files_digest(root), namespace])
    kept = RepositoryCache(cache) if cache is not None else None
    known = kept.read(key) if kept is not None else None
    if known is not None:
        return known
    result = _run(root, namespace, seconds, memory_mb)
    if kept is not None and result.repository is not None:
        kept.write(key, result)
    return result


def _run(root: Path, namespace: str, seconds: float, memory_mb: int) -> LoadResult:
    with tempfile.TemporaryDirectory(prefix="fieldhouse-load-") as scratch:
        out = Path(scratch)
        arguments = [sys.executable, "-P", "-m", RUNNER, str(root), namespace]
        arguments += [str(out), str(seconds), str(memory_mb)]
        outcome = run_limited(arguments, folder=root, seconds=seconds + STARTUP_SECONDS)
        try:
            return decode((out / "result.json").read_bytes())
        except (OSError, msgspec.MsgspecError):
            return LoadResult(None, (unfinished(out, root, outcome, seconds),))


def unfinished(out: Path, root: Path, outcome: Outcome, seconds: float) -> Finding:
    """The finding for a process that ended without an answer."""
    trace = _text(out / "trace.txt")
    current = _text(out / "current.txt")
    place = _place(trace, root) or Location(current, 1 if current else 0)
    where = place.file or "the repository"
    if "Timeout" in trace or outcome.timed_out:
        rule, message = "definition-loops", f"{where} is not done after {seconds:g} seconds"
        hint = "a definition states facts: take the loop, or the waiting, out of the file"
    else:
        rule = "definition-crashes"
        message = f"{where} ended the process that reads it (exit code {outcome.code})"
        last = outcome.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        hint = f"its last words: {last[0][:200]}"
    return Finding(rule, "meaning", "error", message, place.file, place, (), hint)


def _place(trace: str, root: Path) -> Location | None:
    """The innermost line of the repository in a stack that begins with the innermost frame."""
    for frame in _FRAME.finditer(trace):
        file = Path(frame["file"])
        if file.is_relative_to(root):
            return Location(file.relative_to(root).as_posix(), int(frame["line"]))
    return None


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.is_file() else ""
