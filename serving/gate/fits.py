"""Fits? Memory while loading, at rest, under load and while swapping; time; growth. Pure."""

from serving.gate.growth import Growth
from serving.gate.memory import Footprint, Memory
from serving.gate.policy import GatePolicy
from serving.gate.report import Check
from serving.gate.resources import Measured, ResourceProfile

QUESTION = "fits?"


def check_memory(footprint: Footprint, after_load: Memory, policy: GatePolicy) -> list[Check]:
    """Peaks and load time against the policy. `after_load` was read after the load run."""
    peak = max(footprint.loaded.peak, after_load.peak)
    ratio = footprint.loaded.peak / max(1, footprint.loaded.resident)
    numbers = {
        "imported_bytes": footprint.imported.resident,
        "load_peak_bytes": footprint.loaded.peak,
        "rest_bytes": footprint.loaded.resident,
        "under_load_bytes": after_load.resident,
        "peak_bytes": peak,
        "peak_was_reset": footprint.peak_was_reset,
    }
    message = (
        f"{_mb(footprint.loaded.peak)} at most while loading, {_mb(footprint.loaded.resident)} at "
        f"rest, {_mb(peak)} in all; allowed {_mb(policy.max_peak_bytes)}"
    )
    seconds = footprint.load_seconds
    return [
        Check("fits.memory", QUESTION, peak <= policy.max_peak_bytes, message, numbers),
        Check(
            "fits.load_peak",
            QUESTION,
            ratio <= policy.max_load_peak_over_rest,
            f"loading takes {ratio:.2f} times what the model then rests in; allowed "
            f"{policy.max_load_peak_over_rest:g}",
            {"ratio": ratio, "limit": policy.max_load_peak_over_rest},
        ),
        Check(
            "fits.load_time",
            QUESTION,
            seconds <= policy.max_load_seconds,
            f"loads in {seconds:.2f} s; allowed {policy.max_load_seconds:g} s",
            {"load_seconds": seconds},
        ),
    ]


def check_growth(growth: Growth, policy: GatePolicy) -> list[Check]:
    """Bytes per thousand requests, and processor time a prediction."""
    per_thousand = growth.per_thousand
    milliseconds = growth.cpu_seconds * 1e3
    return [
        Check(
            "fits.growth",
            QUESTION,
            per_thousand <= policy.max_growth_bytes_per_thousand,
            f"grows by {per_thousand / 1e3:.0f} kB per thousand requests; allowed "
            f"{policy.max_growth_bytes_per_thousand / 1e3:.0f} kB",
            {
                "bytes_per_thousand": per_thousand,
                "limit": policy.max_growth_bytes_per_thousand,
                "requests": growth.requests,
                "resident_bytes": list(growth.resident),
            },
        ),
        Check(
            "fits.cpu",
            QUESTION,
            milliseconds <= policy.max_cpu_ms,
            f"{milliseconds:.3f} ms of a processor a request; allowed {policy.max_cpu_ms:g} ms",
            {"cpu_ms": milliseconds, "limit": policy.max_cpu_ms},
        ),
    ]


def check_refusals(growth: Growth, policy: GatePolicy) -> Check:
    """Bytes per thousand requests that were refused, or that the model failed on."""
    per_thousand = growth.per_thousand
    limit = policy.max_growth_bytes_per_thousand
    message = (
        f"grows by {per_thousand / 1e3:.0f} kB per thousand refused requests; allowed "
        f"{limit / 1e3:.0f} kB"
    )
    numbers = {
        "bytes_per_thousand": per_thousand,
        "limit": limit,
        "requests": growth.requests,
        "resident_bytes": list(growth.resident),
    }
    return Check("fits.refusals", QUESTION, per_thousand <= limit, message, numbers)


def check_handles(before: int, after: int, policy: GatePolicy) -> Check:
    """Open descriptors and threads, of the server and its workers, over all requests."""
    more = after - before
    message = (
        f"{before} descriptors and threads at first, {after} after all requests; allowed "
        f"{policy.max_more_handles} more"
    )
    numbers = {"before": before, "after": after, "limit": policy.max_more_handles}
    return Check("fits.handles", QUESTION, more <= policy.max_more_handles, message, numbers)


def check_profile(profile: ResourceProfile, findings: list[str]) -> Check:
    """What to ask a cluster for; fails when the manifests made from it break their schemas."""
    swap = profile.measured.hot_swap_peak_bytes
    message = (
        f"ask for {_mb(profile.memory_request_bytes)} and {profile.cpu_request_millicores}m, limit "
        f"{_mb(profile.memory_limit_bytes)} (swapping takes {_mb(swap)}), "
        f"{profile.replicas} replicas"
    )
    if findings:
        message = f"the Kubernetes manifests break their schemas: {'; '.join(findings[:3])}"
    numbers = {"digest": profile.digest, "findings": findings}
    return Check("fits.profile", QUESTION, not findings, message, numbers)


def measured_of(
    footprint: Footprint, after_load: Memory, swap: Footprint, growth: Growth, policy: GatePolicy
) -> Measured:
    """All measurements of one candidate as one value."""
    return Measured(
        rest_bytes=footprint.loaded.resident,
        load_peak_bytes=footprint.loaded.peak,
        under_load_bytes=after_load.resident,
        peak_bytes=max(footprint.loaded.peak, after_load.peak),
        hot_swap_peak_bytes=swap.loaded.peak,
        load_seconds=round(footprint.load_seconds, 6),
        growth_bytes_per_thousand=growth.per_thousand,
        cpu_seconds_per_prediction=round(growth.cpu_seconds, 9),
        rate_per_second=float(policy.rate_per_second),
    )


def _mb(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
