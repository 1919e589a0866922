"""How much memory is left to this process, as the machine and its control group say."""

from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


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
