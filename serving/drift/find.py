"""Drift of one model: its bundle's profile, its log and labels, its gate report, put together."""

from datetime import UTC, datetime, timedelta

from registry.kernel.clock import format_instant
from registry.kernel.errors import FieldhouseError, Refused
from registry.settings import HOME
from serving.bundle import PROFILE
from serving.drift.past import read_past
from serving.drift.performance import beside_gate, performance_of
from serving.drift.report import CONFIDENCE, DriftReport, compare_columns, windows_of
from serving.profile import decode_profile
from serving.reports import read_report
from serving.room import Room
from serving.segments import column_names
from serving.signature import Signature

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_drift(
    room: Room,
    name: str,
    version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    confidence: float = CONFIDENCE,
) -> DriftReport:
    """The drift of a version, the champion by default, between two instants.

    Raises `NotFound` (no such model, nothing logged) or `Refused` (no profile, no rows).
    """
    models = room.registry.models
    champion = models.champion(name) if version is None else None
    record = champion or models.get(name, version)
    bundle = room.bundle(name, record.version)
    if PROFILE not in bundle.files:
        raise Refused(
            f"model {name} {record.version} has no reference profile",
            hint="package it with its training rows as reference",
        )
    profile = decode_profile(bundle.files[PROFILE])
    past = read_past(room.settings.path(HOME), name, record.version, since, until)
    if not len(past.times):
        raise Refused(f"nothing of model {name} {record.version} was logged in that time")
    signature, task = bundle.manifest.signature, bundle.manifest.task
    output = signature.outputs[0].name
    masked = masked_names(signature)
    live = performance_of(past, output, task)
    return DriftReport(
        model=name,
        version=record.version,
        since=format_instant(_instant(int(past.times[0]))),
        until=format_instant(_instant(int(past.times[-1]))),
        rows=len(past.times),
        labelled=int((past.labels == past.labels).sum()),
        reference_rows=max((column.rows for column in profile.columns), default=0),
        confidence=confidence,
        columns=compare_columns(profile, past, confidence, masked),
        performance=beside_gate(live, _gates_number(room, name, record.version, live)),
        windows=windows_of(profile, past, output, task, masked),
    )


def masked_names(signature: Signature) -> frozenset[str]:
    """The columns and keys of which the log holds nothing."""
    hidden = [tensor for tensor in signature.inputs if tensor.sensitive]
    return frozenset(name for tensor in hidden for name in (tensor.name, *column_names(tensor)))


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _gates_number(room: Room, name: str, version: str, live: object) -> float | None:
    """What the gate measured of this version by the same metric, None when it did not."""
    try:
        report = read_report(room, room.registry.models.get(name, version))
    except FieldhouseError:
        return None
    wanted = f"better.{getattr(live, 'metric', '')}"
    check = next((check for check in report.checks if check.id == wanted), None)
    value = check.numbers.get("candidate") if check else None
    return float(value) if value is not None else None
