"""The gate's evidence as one value: checks, their numbers, and the digest approval binds."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from registry.kernel.canonical import canonical_json, digest_bytes
from registry.kernel.errors import Corrupt
from serving.gate.policy import GatePolicy
from serving.gate.resources import ResourceProfile

LAYOUT = 1


@dataclass(frozen=True, slots=True)
class Check:
    """One question's answer. `ran` False means it could not be asked, which is a failure too."""

    id: str
    question: str
    passed: bool
    message: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    ran: bool = True


@dataclass(frozen=True, slots=True)
class GateReport:
    """What was measured about one bundle. Instants are ISO 8601 in UTC.

    `resources` is None when the candidate could not be measured.
    """

    layout: int
    model: str
    version: str
    bundle_digest: str
    passed: bool
    requested_by: str
    started_at: str
    seconds: float
    policy: GatePolicy
    checks: tuple[Check, ...]
    data: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    resources: ResourceProfile | None = None

    def encode(self) -> bytes:
        """Canonical bytes, the same after they are read again: a policy's 100 is written 100.0."""
        plain = msgspec.to_builtins(msgspec.convert(msgspec.to_builtins(self), GateReport))
        return canonical_json(_finite(plain)).encode()

    @property
    def digest(self) -> str:
        return digest_bytes(self.encode())

    @property
    def profile_digest(self) -> str | None:
        """The digest of the resource profile, which a reliability engineer approves."""
        return self.resources.digest if self.resources else None

    def check(self, check_id: str) -> Check | None:
        return next((check for check in self.checks if check.id == check_id), None)


def decode_report(raw: bytes) -> GateReport:
    """Read a report; raises `Corrupt` when it is not one."""
    try:
        report = msgspec.json.decode(raw, type=GateReport)
    except msgspec.MsgspecError as error:
        raise Corrupt("the gate report cannot be read", str(error)) from error
    if report.layout != LAYOUT:
        raise Corrupt(f"gate report layout {report.layout} is not known", f"this reads {LAYOUT}")
    return report


def attempt(check_id: str, question: str, ask: Callable[[], Check | list[Check]]) -> list[Check]:
    """Ask; whatever stops the question from being asked is a failed check that says so."""
    try:
        found = ask()
    except Exception as error:  # a check that could not run is a failure, whatever the reason
        return [Check(check_id, question, False, f"could not run: {error}", {}, ran=False)]
    return found if isinstance(found, list) else [found]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
