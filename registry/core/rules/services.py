"""Rules about what feature services read, of their own namespace and of others."""

from collections.abc import Iterable

from registry.core.borrowing import foreign, lender_feature
from registry.core.rules.base import Evidence, Hit, rule
from registry.kernel.errors import nearest_names
from registry.kernel.refs import FeatureRef, parse_ref


@rule(
    "service-uses-draft",
    "serving",
    "error",
    "Drafts change without notice and are not served online.",
)
def service_uses_draft(evidence: Evidence) -> Iterable[Hit]:
    return _services_using(evidence, "draft", "make the feature production, or the service a draft")


@rule(
    "service-uses-deprecated",
    "serving",
    "warning",
    "It will be gone at its sunset.",
)
def service_uses_deprecated(evidence: Evidence) -> Iterable[Hit]:
    """Of services that read it already; one that begins to is refused."""
    begin = {(hit.subject, hit.message) for hit in newly_named(evidence, "deprecated", "")}
    for hit in _services_using(evidence, "deprecated", "move to its replacement"):
        if (hit.subject, hit.message) not in begin:
            yield hit


@rule(
    "service-uses-quarantined",
    "serving",
    "warning",
    "Its values are known to be wrong at present.",
)
def service_uses_quarantined(evidence: Evidence) -> Iterable[Hit]:
    for name, ref in _service_refs(evidence):
        if _registered_state(evidence, ref) == "quarantined":
            yield Hit(
                name,
                f"service {name} uses {ref}, which is quarantined",
                "wait for its release, or leave it out",
                evidence.compiled.services[name].location,
            )


def _services_using(evidence: Evidence, state: str, hint: str) -> Iterable[Hit]:
    for name, ref in _service_refs(evidence):
        service = evidence.compiled.services[name]
        if service.state == "production" and _state(evidence, ref) == state:
            yield Hit(name, f"service {name} uses {ref}, which is {state}", hint, service.location)


def newly_named(evidence: Evidence, state: str, hint: str) -> Iterable[Hit]:
    """Production services that begin to name a feature in that state."""
    for name, ref in _service_refs(evidence):
        service, known = evidence.compiled.services[name], evidence.state.services.get(name)
        held = known.definition.refs if known is not None else ()
        before = {(r.namespace, r.view, r.feature) for r in map(parse_ref, held)}
        if (ref.namespace, ref.view, ref.feature) in before or service.state != "production":
            continue
        if _state(evidence, ref) == state:
            yield Hit(name, f"service {name} uses {ref}, which is {state}", hint, service.location)


def _state(evidence: Evidence, ref: FeatureRef) -> str | None:
    """The state that the repository declares of its own feature, the registry of another
    namespace's; None when there is no such feature."""
    if foreign(ref, evidence.compiled.namespace):
        return _registered_state(evidence, ref)
    feature = evidence.compiled.features.get(f"{ref.view}:{ref.feature}")
    return None if feature is None else feature.facts.state or "draft"


def _registered_state(evidence: Evidence, ref: FeatureRef) -> str | None:
    if foreign(ref, evidence.compiled.namespace):
        found = lender_feature(ref, evidence.lenders)
        return None if found is None else found.state
    known = evidence.newest.get(f"{ref.view}:{ref.feature}")
    return None if known is None else known.state


def _service_refs(evidence: Evidence) -> Iterable[tuple[str, FeatureRef]]:
    for name, service in evidence.compiled.services.items():
        for ref in map(parse_ref, service.refs):
            yield name, ref


@rule(
    "service-unknown-feature",
    "serving",
    "error",
    "A service can only read what is defined.",
)
def service_unknown_feature(evidence: Evidence) -> Iterable[Hit]:
    for name, ref in _service_refs(evidence):
        if foreign(ref, evidence.compiled.namespace):
            continue
        feature = evidence.compiled.features.get(f"{ref.view}:{ref.feature}")
        if feature is None:
            yield Hit(
                name,
                f"service {name} uses {ref}, which this repository does not define",
                "correct the name, or define the feature",
                evidence.compiled.services[name].location,
            )
            continue
        if ref.version is None:
            continue
        known = {
            r.version for r in evidence.state.features.values() if r.short_ref == feature.ref
        } | {
            c.version
            for c in evidence.feature_changes("meaning", "add", "change", "move")
            if c.name == feature.ref
        }
        if ref.version not in known:
            yield Hit(
                name,
                f"service {name} uses {ref}, a version that does not exist",
                f"known versions: {', '.join(str(v) for v in sorted(v or 1 for v in known))}",
                evidence.compiled.services[name].location,
            )


@rule(
    "service-unknown-lender",
    "serving",
    "error",
    "Another namespace's feature can only be read once it is registered there.",
)
def service_unknown_lender(evidence: Evidence) -> Iterable[Hit]:
    for name, ref in _service_refs(evidence):
        abroad = foreign(ref, evidence.compiled.namespace)
        if not abroad or lender_feature(ref, evidence.lenders) is not None:
            continue
        lender = evidence.lenders.get(str(ref.namespace))
        known = lender.names() if lender is not None else []
        near = ", ".join(nearest_names(f"{ref.view}:{ref.feature}", known))
        yield Hit(
            name,
            f"service {name} uses {ref}, which namespace {ref.namespace} does not have",
            f"nearest there: {near}" if near else "nothing is registered there by that name",
            evidence.compiled.services[name].location,
        )
