"""Everything that is asked of the running candidate, and of the incumbent beside it."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from registry.core.published import Published
from registry.kernel.clock import Clock
from registry.kernel.errors import FieldhouseError, Invalid
from registry.kernel.settings import Settings
from serving.bundle import GOLDEN, Golden, decode_golden
from serving.gate.better import compare_outputs, scores_of
from serving.gate.evidence import Evidence, OfflineSample
from serving.gate.fast import (
    LoadResult,
    check_first,
    check_incumbent,
    check_latency,
    check_lookup,
    run_load,
    time_after_silence,
    time_once,
)
from serving.gate.fits import (
    check_growth,
    check_handles,
    check_memory,
    check_profile,
    check_refusals,
    measured_of,
)
from serving.gate.growth import Growth, measure_growth
from serving.gate.hostile import hostile_requests
from serving.gate.manifests import broken_rules, manifests
from serving.gate.memory import Memory, count_handles, read_memory
from serving.gate.policy import GatePolicy
from serving.gate.probes import probe_rows
from serving.gate.proper import check_answers
from serving.gate.report import Check, attempt
from serving.gate.resources import ResourceProfile, recommend
from serving.gate.served import Candidate, served, swapped
from serving.gate.steady import ELSEWHERE, check_elsewhere, check_later
from serving.ports import FeatureLookup
from serving.signature import Signature
from serving.store import Bundle
from serving.tensors import Array

_LOAD_BODIES = 64
_WARM_SECONDS = 0.2
_LOOKUPS = 200
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GateTools:
    """What the gate needs beside the bundle. `published` and `lookup` are asked for when used.

    `lookup_in_server` says that a server process finds the same lookup by the settings; one that
    was handed in can be measured in this process only.
    """

    settings: Settings
    clock: Clock
    published: Callable[[], Published]
    lookup: Callable[[], FeatureLookup]
    lookup_in_server: bool = False
    image: str = "fieldhouse"


@dataclass
class Watch:
    """One gate run's view of the candidate; `profile` is there once all of it was measured."""

    bundle: Bundle
    incumbent: Bundle | None
    evidence: Evidence
    policy: GatePolicy
    tools: GateTools
    profile: ResourceProfile | None = None
    _load: LoadResult = field(default_factory=LoadResult)
    _first_seconds: float = 0.0
    _answers: Mapping[str, Array] = field(default_factory=dict)
    _answered_at: float = 0.0
    _requests: int = 0

    def checks(self) -> list[Check]:
        """Start the candidate and ask it everything. Raises `ServerFailed` when it cannot serve."""
        with served(self.tools.settings, self.bundle, self._looks_up) as candidate:
            checks = [Check("loads", "does it load?", True, "loaded in a fresh process")]
            golden = decode_golden(self.bundle.files[GOLDEN])
            probes = probe_rows(golden, self.evidence, self.policy)
            self._first_seconds = time_once(candidate.server.address, self._one(candidate, probes))
            checks += attempt("proper", "proper?", lambda: self._proper(candidate, golden, probes))
            handles = count_handles(candidate.server.pid)
            checks += attempt("fast", "fast enough?", lambda: self._fast(candidate, probes))
            checks += self._with_lookup(candidate)
            checks += attempt("fits", "fits?", lambda: self._fits(candidate, probes))
            checks += attempt("proper.later", "proper?", lambda: self._later(candidate, probes))
            checks += self._against(candidate, probes)
            # Last, since a candidate may well die of it.
            checks += attempt("fits.refusals", "fits?", lambda: self._refusals(candidate))
            checks += attempt("fits.handles", "fits?", lambda: self._handles(candidate, handles))
        return checks

    @property
    def _looks_up(self) -> bool:
        return self.tools.lookup_in_server and bool(self.bundle.manifest.signature.refs)

    def _proper(self, candidate: Candidate, golden: Golden, probes: Floats) -> list[Check]:
        signature = candidate.bundle.manifest.signature
        with candidate.client() as client:
            checks = check_answers(client, golden, probes, signature, self.policy)
        with suppress(FieldhouseError, OSError):  # the checks have said why already
            self._answers, self._answered_at = _answers(candidate, probes), time.perf_counter()
        return checks

    def _later(self, candidate: Candidate, probes: Floats) -> Check:
        self._check_answered()
        seconds = time.perf_counter() - self._answered_at
        return check_later(self._answers, _answers(candidate, probes), seconds, self._requests)

    def _check_answered(self) -> None:
        if not self._answers:
            raise Invalid("the candidate did not answer the rows at first")

    def _one(self, candidate: Candidate, probes: Floats) -> bytes:
        with candidate.client() as client:
            return client.request(probes[:1])

    def _fast(self, candidate: Candidate, probes: Floats) -> list[Check]:
        self._load = self._put_load(candidate, probes)
        self._requests += len(self._load.seconds)
        request = self._one(candidate, probes)
        silence = time_after_silence(candidate.server.address, request, self.policy.idle_seconds)
        checks = check_latency(self._load, self._expected, self.policy)
        return [*checks, check_first(self._first_seconds, silence, self.policy)]

    @property
    def _expected(self) -> int:
        return max(1, int(self.policy.rate_per_second * self.policy.seconds))

    def _put_load(self, candidate: Candidate, probes: Floats) -> LoadResult:
        return self._run(candidate, load_bodies(candidate, probes))

    def _run(self, candidate: Candidate, requests: Sequence[bytes]) -> LoadResult:
        address, rate = candidate.server.address, self.policy.rate_per_second
        run_load(address, requests, rate, _WARM_SECONDS)
        return run_load(address, requests, rate, self.policy.seconds)

    def _with_lookup(self, candidate: Candidate) -> list[Check]:
        if not candidate.bundle.manifest.signature.refs:
            return []
        sample = self.evidence.sample
        if sample is None:
            message = "could not run: no offline sample names entities to look up"
            return [Check("fast.lookup", "fast enough?", False, message, ran=False)]
        return attempt("fast.lookup", "fast enough?", lambda: self._looked_up(candidate, sample))

    def _looked_up(self, candidate: Candidate, sample: OfflineSample) -> Check:
        if not self.tools.lookup_in_server:
            signature = candidate.bundle.manifest.signature
            found = time_lookups(self.tools.lookup(), signature, sample)
            place = "the lookup alone, in the gate's process"
            return check_lookup(found, len(found.seconds), self.policy, place)
        with candidate.client() as client:
            requests = client.key_requests(sample.keys, _LOAD_BODIES)
        found = self._run(candidate, requests)
        return check_lookup(found, self._expected, self.policy, "through the server")

    def _fits(self, candidate: Candidate, probes: Floats) -> list[Check]:
        pid = candidate.server.pid
        loaded = read_memory(pid)
        checks = check_memory(candidate.footprint, loaded, self.policy)
        return checks + attempt(
            "fits.growth", "fits?", lambda: self._grown(candidate, loaded, probes)
        )

    def _grown(self, candidate: Candidate, loaded: Memory, probes: Floats) -> list[Check]:
        bodies, count = load_bodies(candidate, probes), self.policy.growth_requests
        growth = measure_growth(candidate.server.pid, candidate.server.address, bodies, count)
        self._requests += growth.requests
        checks = check_growth(growth, self.policy)
        return checks + attempt(
            "fits.profile", "fits?", lambda: self._recommended(candidate, loaded, growth, probes)
        )

    def _recommended(
        self, candidate: Candidate, loaded: Memory, growth: Growth, probes: Floats
    ) -> list[Check]:
        # Without an incumbent the next version will be about as large as this one.
        held, settings = self.incumbent or self.bundle, self.tools.settings
        with swapped(settings, held, self.bundle, self._looks_up, ELSEWHERE) as other:
            swap = other.footprint
            checks = attempt("proper.elsewhere", "proper?", lambda: self._elsewhere(other, probes))
        self.profile = recommend(
            measured_of(candidate.footprint, loaded, swap, growth, self.policy)
        )
        name, version = candidate.bundle.manifest.name, candidate.bundle.manifest.version
        findings = broken_rules(manifests(name, version, self.tools.image, self.profile))
        return [*checks, check_profile(self.profile, findings)]

    def _elsewhere(self, other: Candidate, probes: Floats) -> Check:
        self._check_answered()
        return check_elsewhere(self._answers, _answers(other, probes), self.policy)

    def _refusals(self, candidate: Candidate) -> Check:
        with candidate.client() as client:
            requests = hostile_requests(client, candidate.bundle.manifest.signature)
        count = self.policy.growth_requests // 2
        server = candidate.server
        growth = measure_growth(server.pid, server.address, requests, count, refused=True)
        return check_refusals(growth, self.policy)

    def _handles(self, candidate: Candidate, before: int) -> Check:
        return check_handles(before, count_handles(candidate.server.pid), self.policy)

    def _against(self, candidate: Candidate, probes: Floats) -> list[Check]:
        """What the incumbent is asked as well: held-out rows, and the same load."""
        if self.incumbent is None:
            return attempt("better", "better?", lambda: self._better(candidate, None))
        return attempt("better", "better?", lambda: self._beside(candidate, self.incumbent, probes))

    def _beside(
        self, candidate: Candidate, incumbent: Bundle | None, probes: Floats
    ) -> list[Check]:
        assert incumbent is not None
        with served(self.tools.settings, incumbent, self._looks_up) as other:
            checks = attempt("better", "better?", lambda: self._better(candidate, other))
            return checks + attempt(
                "fast.incumbent", "fast enough?", lambda: self._beside_load(other, probes)
            )

    def _beside_load(self, other: Candidate, probes: Floats) -> list[Check]:
        # Golden rows fit whatever columns the incumbent reads.
        rows = decode_golden(other.bundle.files[GOLDEN]).rows
        if other.bundle.manifest.signature.columns == self.bundle.manifest.signature.columns:
            rows = probes
        return check_incumbent(self._load, self._put_load(other, rows), self.policy)

    def _better(self, candidate: Candidate, other: Candidate | None) -> list[Check]:
        heldout = self.evidence.heldout
        if heldout is None:
            message = "could not run: no held-out rows were given"
            return [Check("better.sample", "better?", False, message, ran=False)]
        manifest = candidate.bundle.manifest
        heldout.check(manifest.signature.width)
        found = scores_of(candidate.outputs(heldout.rows), manifest.task)
        before = None
        if other is not None:
            theirs = heldout.rows_for(other.bundle.manifest.signature, manifest.signature)
            before = scores_of(other.outputs(theirs), manifest.task)
        output = manifest.signature.outputs[0]
        return compare_outputs(heldout, found, before, self.policy, manifest.task, output)


def _answers(candidate: Candidate, rows: Floats) -> Mapping[str, Array]:
    with candidate.client() as client:
        return client.infer(rows, binary=True).outputs


def load_bodies(candidate: Candidate, rows: Floats) -> list[bytes]:
    """Requests of one row each."""
    with candidate.client() as client:
        return [client.request(rows[i : i + 1]) for i in range(min(_LOAD_BODIES, len(rows)))]


def time_lookups(lookup: FeatureLookup, signature: Signature, sample: OfflineSample) -> LoadResult:
    """Latencies of looking one entity after the other up."""
    plan = lookup.plan(signature.refs, full_feature_names=True)
    count = len(next(iter(sample.keys.values())))
    found = LoadResult()
    for turn in range(_LOOKUPS):
        one = {name: [cells[turn % count]] for name, cells in sample.keys.items()}
        started = time.perf_counter()
        lookup.matrix(plan, one, "(gate)")
        found.seconds.append(time.perf_counter() - started)
    return found
