"""Runs the gate: the candidate in a fresh process, measured from this one, all in one report."""

import os
import platform
from time import perf_counter

from registry.kernel.clock import format_instant
from serving.gate.evidence import Evidence, digest_arrays
from serving.gate.policy import GatePolicy
from serving.gate.report import LAYOUT, GateReport, attempt
from serving.gate.same import check_features
from serving.gate.watch import GateTools, Watch
from serving.store import Bundle

ORDER = (
    "does it load?",
    "better?",
    "proper?",
    "fast enough?",
    "fits?",
    "same features?",
)


def run_gate(
    bundle: Bundle,
    incumbent: Bundle | None,
    evidence: Evidence,
    policy: GatePolicy,
    requested_by: str,
    tools: GateTools,
) -> GateReport:
    """Ask all five questions of a verified bundle. Never raises for what the candidate does."""
    started, begun = tools.clock(), perf_counter()
    watch = Watch(bundle, incumbent, evidence, policy, tools)
    checks = attempt("loads", "does it load?", watch.checks)
    checks += check_features(
        bundle.manifest, tools.published, tools.lookup, evidence.sample, policy
    )
    checks.sort(key=lambda check: ORDER.index(check.question))
    return GateReport(
        layout=LAYOUT,
        model=bundle.manifest.name,
        version=bundle.manifest.version,
        bundle_digest=bundle.digest,
        passed=all(check.passed for check in checks),
        requested_by=requested_by,
        started_at=format_instant(started),
        seconds=round(perf_counter() - begun, 3),
        policy=policy,
        checks=tuple(checks),
        data=_data_facts(evidence, incumbent),
        machine=_machine_facts(),
        resources=watch.profile,
    )


def _data_facts(evidence: Evidence, incumbent: Bundle | None) -> dict[str, object]:
    heldout, sample = evidence.heldout, evidence.sample
    return {
        "heldout": heldout.name if heldout else None,
        "heldout_digest": heldout.digest if heldout else None,
        "heldout_rows": len(heldout.rows) if heldout else 0,
        "sample_digest": digest_arrays(sample.values) if sample else None,
        "sample_rows": len(sample.values) if sample else 0,
        "incumbent": incumbent.digest if incumbent else None,
    }


def _machine_facts() -> dict[str, object]:
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": list(os.getloadavg()),
    }
