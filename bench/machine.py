"""The machine that a benchmark ran on, stated in its result. Measures nothing."""

import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

STATED = ("duckdb", "feast", "hiredis", "numpy", "pyarrow", "redis", "uvicorn", "xgboost-cpu")


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides speed. `cores` are those that this process may use; memory in bytes."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    packages: dict[str, str]

    def facts(self) -> dict[str, object]:
        """As JSON-able facts."""
        return asdict(self)


def this_machine() -> Machine:
    """The machine under us, and the versions of what is measured."""
    return Machine(
        processor=_processor(),
        cores=_cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release()}",
        python=sys.version.split()[0],
        packages={name: found for name in STATED if (found := _version(name)) is not None},
    )


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    if file.is_file():
        for line in file.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
