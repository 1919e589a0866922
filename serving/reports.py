"""Keeps gate reports: signed and stored beside the bundles, verified whenever they are read."""

from dataclasses import replace

from registry.kernel.errors import Refused
from registry.ports import ModelRecord
from serving.approval import APPROVALS
from serving.gate.manifests import manifest_text, manifests
from serving.gate.page import render_page
from serving.gate.report import GateReport, decode_report
from serving.history import evidence_of
from serving.room import Room
from serving.settings import IMAGE
from serving.signing import seal, verify

REPORT = "report.json"
PAGE = "report.html"
SEAL = "seal.json"
KUBERNETES = "kubernetes.yaml"


def report_folder(name: str, version: str, digest: str) -> str:
    """The folder of one gate report."""
    return f"reports/{name}/{version}/{digest.removeprefix('sha256:')[:12]}"


def keep_report(
    room: Room,
    record: ModelRecord,
    report: GateReport,
    actor: str,
) -> ModelRecord:
    """Store a report, its page and its manifests, and note in the model book what was found.

    A version that passed is `gated`, one that did not is `packaged` again.
    """
    raw = report.encode()
    folder = report_folder(record.name, record.version, report.digest)
    stored = {
        REPORT: raw,
        PAGE: render_page(report).encode(),
        SEAL: seal(room.signing_key, "report", raw),
    }
    if report.resources is not None:
        image = str(room.settings.get(IMAGE))
        objects = manifests(report.model, report.version, image, report.resources)
        stored[KUBERNETES] = manifest_text(objects).encode()
    room.stores.write(folder, stored)
    kept = {name: fact for name, fact in record.facts.items() if name != APPROVALS}
    facts = {
        **kept,  # words given on an earlier report are void
        "report_digest": report.digest,
        "profile_digest": report.profile_digest,
        "report_passed": report.passed,
        "report_location": f"{room.stores.primary.url}/{folder}",
    }
    state = "gated" if report.passed else "packaged"
    action = "model:gated" if report.passed else "model:gate-failed"
    gated = replace(record, state=state, facts=facts)
    room.registry.models.save(gated, actor, action, "", evidence_of(gated))
    return gated


def report_files(room: Room, record: ModelRecord) -> dict[str, bytes]:
    """The files of the newest report: JSON, page, manifests. Raises as `read_report` does."""
    report = read_report(room, record)
    folder = report_folder(record.name, record.version, report.digest)
    kept = (REPORT, PAGE, *((KUBERNETES,) if report.resources else ()))
    return {name: room.stores.primary.read(folder, name) for name in kept}


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
