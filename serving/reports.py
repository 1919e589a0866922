"""Keeps gate reports: signed and stored beside the bundles, verified whenever they are read."""

from collections.abc import Mapping
from dataclasses import replace

from registry.kernel.errors import Refused
from registry.ports import ModelRecord
from serving.gate.page import render_page
from serving.gate.report import GateReport, decode_report
from serving.room import Room
from serving.signing import seal, verify

REPORT = "report.json"
PAGE = "report.html"
SEAL = "seal.json"


def report_folder(name: str, version: str, digest: str) -> str:
    """The folder of one gate report."""
    return f"reports/{name}/{version}/{digest.removeprefix('sha256:')[:12]}"


def keep_report(
    room: Room,
    record: ModelRecord,
    report: GateReport,
    actor: str,
    files: Mapping[str, bytes] | None = None,
) -> ModelRecord:
    """Store a report, its page and `files`, and note in the model book what the gate found.

    A version that passed is `gated`, one that did not is `packaged` again.
    """
    raw = report.encode()
    folder = report_folder(record.name, record.version, report.digest)
    stored = {
        **(files or {}),
        REPORT: raw,
        PAGE: render_page(report).encode(),
        SEAL: seal(room.signing_key, "report", raw),
    }
    room.stores.write(folder, stored)
    facts = {
        **record.facts,
        "report_digest": report.digest,
        "report_passed": report.passed,
        "report_location": f"{room.stores.primary.url}/{folder}",
    }
    state = "gated" if report.passed else "packaged"
    action = "model:gated" if report.passed else "model:gate-failed"
    gated = replace(record, state=state, facts=facts)
    room.registry.models.save(gated, actor, action)
    return gated


def read_report(room: Room, record: ModelRecord) -> GateReport:
    """The newest report of a version, verified. Raises `Refused` or `Corrupt`."""
    digest = record.facts.get("report_digest")
    if not digest:
        raise Refused(
            f"model {record.name} {record.version} was not gated", hint="run the gate first"
        )
    folder = report_folder(record.name, record.version, str(digest))
    raw = room.stores.primary.read(folder, REPORT)
    verify(room.stores.primary.read(folder, SEAL), "report", raw, room.trusted)
    report = decode_report(raw)
    if report.digest != digest:
        raise Refused(f"the report of {record.name} {record.version} is not the recorded one")
    return report
