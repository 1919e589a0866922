"""Runs the gate: the candidate in a fresh process, measured from this one, all in one report."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from registry.core.published import Published
from registry.kernel.clock import Clock, format_instant
from registry.kernel.settings import Settings
from serving.bundle import GOLDEN, Golden, decode_golden
from serving.gate.better import compare_scores
from serving.gate.client import ModelClient
from serving.gate.evidence import Evidence, digest_arrays
from serving.gate.fast import check_latency, run_load
from serving.gate.fits import Footprint, check_memory, read_memory, reset_peak
from serving.gate.proper import check_answers
from serving.gate.report import LAYOUT, Check, GatePolicy, GateReport, attempt
from serving.gate.same import check_features
from serving.ports import FeatureLookup
from serving.process import ServerProcess, spawn_server
from serving.spec import ServerSpec
from serving.store import Bundle
from serving.wire import Connection

_START_SECONDS = 90.0
_PROBES = 24
_LOAD_BODIES = 64
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GateTools:
    """What the gate needs beside the bundle. `published` and `lookup` are asked for when used."""

    settings: Settings
    clock: Clock
    published: Callable[[], Published]
    lookup: Callable[[], FeatureLookup]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A served bundle that the gate looks at from outside."""

    server: ServerProcess
    bundle: Bundle
    footprint: Footprint

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        manifest = self.bundle.manifest
        with Connection(self.server.address) as connection:
            yield ModelClient(connection, manifest.name, manifest.version, manifest.signature)

    def score(self, rows: Floats) -> Floats:
        with self.client() as client:
            return client.score(rows)


@contextmanager
def served(settings: Settings, bundle: Bundle) -> Iterator[Candidate]:
    """The bundle alone in a fresh server on a Unix socket; raises `ServerFailed` when it cannot."""
    folder = Path(tempfile.mkdtemp(prefix="fieldhouse-gate-"))
    manifest = bundle.manifest
    spec = ServerSpec(
        root=str(settings.root),
        models=((manifest.name, manifest.version),),
        unix_socket=str(folder / "candidate.sock"),
        lookup=False,
        log=False,
        hold=True,
    )
    server = spawn_server(settings, spec)
    try:
        yield Candidate(server, bundle, _load_watched(server))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _load_watched(server: ServerProcess) -> Footprint:
    server.wait_for("imported", _START_SECONDS)
    was_reset = reset_peak(server.pid)
    imported = read_memory(server.pid)
    server.release()
    server.wait_ready(_START_SECONDS)
    return Footprint(imported, read_memory(server.pid), server.load_seconds, was_reset)


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
    checks: list[Check] = []
    checks += attempt(
        "loads", "does it load?", lambda: _watch(bundle, incumbent, evidence, policy, tools)
    )
    checks += check_features(
        bundle.manifest, tools.published, tools.lookup, evidence.sample, policy
    )
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
    )


def _watch(
    bundle: Bundle,
    incumbent: Bundle | None,
    evidence: Evidence,
    policy: GatePolicy,
    tools: GateTools,
) -> list[Check]:
    """Everything that is asked of the running candidate."""
    with served(tools.settings, bundle) as candidate:
        checks = [Check("loads", "does it load?", True, "loaded in a fresh process")]
        golden = decode_golden(bundle.files[GOLDEN])
        probes = _probe_rows(golden, evidence, policy)
        checks += attempt("proper", "proper?", lambda: _proper(candidate, golden, probes, policy))
        checks += attempt("fast", "fast enough?", lambda: _fast(candidate, probes, policy))
        checks += attempt(
            "fits",
            "fits?",
            lambda: check_memory(candidate.footprint, read_memory(candidate.server.pid), policy),
        )
        checks += attempt(
            "better", "better?", lambda: _better(candidate, incumbent, evidence, policy, tools)
        )
    return checks


def _proper(
    candidate: Candidate, golden: Golden, probes: Floats, policy: GatePolicy
) -> list[Check]:
    with candidate.client() as client:
        return check_answers(
            client, golden, probes[:_PROBES], candidate.bundle.manifest.signature, policy
        )


def _fast(candidate: Candidate, probes: Floats, policy: GatePolicy) -> list[Check]:
    with candidate.client() as client:
        requests = [
            client.request(probes[i : i + 1]) for i in range(min(_LOAD_BODIES, len(probes)))
        ]
    run_load(candidate.server.address, requests, policy.rate_per_second, 0.2)  # warm up
    result = run_load(candidate.server.address, requests, policy.rate_per_second, policy.seconds)
    expected = max(1, int(policy.rate_per_second * policy.seconds))
    return check_latency(result, expected, policy)


def _better(
    candidate: Candidate,
    incumbent: Bundle | None,
    evidence: Evidence,
    policy: GatePolicy,
    tools: GateTools,
) -> list[Check]:
    heldout = evidence.heldout
    if heldout is None:
        message = "could not run: no held-out rows were given"
        return [Check("better.sample", "better?", False, message, ran=False)]
    heldout.check(candidate.bundle.manifest.signature.width)
    scores = candidate.score(heldout.rows)
    if incumbent is None:
        return compare_scores(heldout, scores, None, policy)
    with served(tools.settings, incumbent) as other:
        return compare_scores(heldout, scores, other.score(heldout.rows), policy)


def _probe_rows(golden: Golden, evidence: Evidence, policy: GatePolicy) -> Floats:
    """Golden rows and a seeded choice of held-out ones, so that rare values are among them."""
    heldout = evidence.heldout
    if heldout is None or heldout.rows.shape[1:] != golden.rows.shape[1:] or not len(heldout.rows):
        return golden.rows
    chooser = np.random.default_rng(policy.seed)
    chosen = chooser.choice(len(heldout.rows), min(_LOAD_BODIES, len(heldout.rows)), replace=False)
    return np.concatenate([heldout.rows[chosen], golden.rows])


def _data_facts(evidence: Evidence, incumbent: Bundle | None) -> dict[str, object]:
    heldout, sample = evidence.heldout, evidence.sample
    return {
        "heldout": heldout.name if heldout else None,
        "heldout_digest": heldout.digest if heldout else None,
        "heldout_rows": len(heldout.rows) if heldout else 0,
        "sample_digest": digest_arrays(sample.values) if sample else None,
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
