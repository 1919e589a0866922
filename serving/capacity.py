"""Whether a model fits: memory left against what loading takes; and one load at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.kernel.errors import Refused
from serving.store import Bundle

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
# Parsing needs the file, the model's own form of it, and what the parser holds in between.
_TIMES_FILE = 4
_AT_LEAST = 16 << 20


class DoesNotFit(Refused):
    """Loading would take more memory than is left; whatever is loaded stays."""


def needed_bytes(bundle: Bundle) -> int:
    """What loading may take at its peak, reckoned from the size of the bundle's files."""
    return _AT_LEAST + _TIMES_FILE * sum(entry.bytes for entry in bundle.manifest.files)


def available_bytes(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int | None:
    """What this process can still take: the least of the machine's and the control group's rest.

    None where the system says neither.
    """
    found = [rest for rest in (_machine(meminfo), _group(cgroup)) if rest is not None]
    return min(found, default=None)


def _machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    text = sizes.get("MemAvailable")
    return int(text.split()[0]) * 1024 if text else None


def _group(cgroup: Path) -> int | None:
    """The rest of a version 2 group; what it holds of files can be taken back."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        fields = dict(
            line.split(" ", 1) for line in (cgroup / "memory.stat").read_text().splitlines()
        )
    except (OSError, ValueError):
        return None
    return None if limit == "max" else int(limit) - used + int(fields.get("inactive_file", 0))


def check_fits(bundle: Bundle, reserve_bytes: int = 0, available: int | None = None) -> None:
    """Raises `DoesNotFit` when loading would leave less than `reserve_bytes` free."""
    left = available_bytes() if available is None else available
    needed = needed_bytes(bundle)
    if left is None or needed + reserve_bytes <= left:
        return
    name = f"model {bundle.manifest.name} {bundle.manifest.version}"
    raise DoesNotFit(
        f"{name} would not fit",
        f"it may take {needed >> 20} MiB to load, {left >> 20} MiB are left, "
        f"{reserve_bytes >> 20} MiB are to stay free",
        "unload another model, or give the server more memory",
    )


@contextmanager
def loading_turn(file: Path) -> Iterator[None]:
    """A turn to load that no other worker has at the same time, so that peaks do not add up."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
