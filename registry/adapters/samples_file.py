"""What goes between the jobs that compare on-demand features: inputs one way, values the other.

Values come from where unreviewed code ran: shapes are checked, nothing is believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from registry.core.value_diff import ComputedSample, ComputedValues
from registry.kernel.errors import Invalid, Misuse

T = TypeVar("T")
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the codes of a commit's on-demand views are to be run on, and why views are left out."""

    commit: str
    samples: tuple[ComputedSample, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def read_sampled(file: Path) -> Sampled:
    """What `pr sample` wrote. Raises `Misuse` and `Invalid`."""
    return _read(file, Sampled, "pr sample")


def read_values(file: Path) -> tuple[ComputedValues, ...]:
    """What `pr compute` wrote. Raises `Misuse` and `Invalid`."""
    return _read(file, tuple[ComputedValues, ...], "pr compute")


def as_json(document: object) -> str:
    """Either of them."""
    return msgspec.json.encode(document).decode()


def _read(file: Path, kind: type[T], command: str) -> T:
    if not file.is_file():
        raise Misuse(f"there is no file {file}", hint=f"fieldhouse {command} writes it")
    if file.stat().st_size > MOST_BYTES:
        raise Invalid(f"{file} is too large", f"at most {MOST_BYTES} bytes are read")
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} is not what {command} writes", str(error)) from error
