"""Whether a model fits: memory left against what loading takes; and one load at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.kernel.errors import Refused
from registry.kernel.memory import available_bytes
from serving.store import Bundle

# Parsing needs the file, the model's own form of it, and what the parser holds in between.
_TIMES_FILE = 4
_AT_LEAST = 16 << 20


class DoesNotFit(Refused):
    """Loading would take more memory than is left; whatever is loaded stays."""


def needed_bytes(bundle: Bundle) -> int:
    """What loading may take at its peak, reckoned from the size of the bundle's files."""
    return _AT_LEAST + _TIMES_FILE * sum(entry.bytes for entry in bundle.manifest.files)


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
