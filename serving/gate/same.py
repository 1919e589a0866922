"""Same features? States allow them, versions are those trained on, values equal offline ones."""

import re
from collections.abc import Callable

import numpy as np

from registry.core.published import Published
from registry.kernel.errors import FieldhouseError
from registry.kernel.refs import parse_ref
from serving.bundle import Manifest
from serving.gate.evidence import OfflineSample
from serving.gate.policy import GatePolicy
from serving.gate.report import Check, attempt
from serving.ports import FeatureLookup

QUESTION = "same features?"
SERVABLE_STATES = ("production", "deprecated")


def check_features(
    manifest: Manifest,
    published: Callable[[], Published],
    lookup: Callable[[], FeatureLookup],
    sample: OfflineSample | None,
    policy: GatePolicy,
) -> list[Check]:
    """All of this module's checks; one that passes for a model that looks nothing up."""
    if not manifest.signature.refs:
        return [Check("same.none", QUESTION, True, "the model looks no features up")]
    checks = attempt("same.states", QUESTION, lambda: check_states(manifest, published()))
    checks += attempt("same.versions", QUESTION, lambda: check_versions(manifest))
    if sample is None:
        message = "could not run: no offline sample was given to compare looked-up values with"
        return [*checks, Check("same.values", QUESTION, False, message, ran=False)]
    values = attempt(
        "same.values", QUESTION, lambda: check_values(manifest, lookup(), sample, policy)
    )
    return [*checks, *values]


def check_states(manifest: Manifest, published: Published) -> Check:
    """Every pinned feature is live at its pinned version, in a state that may be served."""
    wrong = []
    for ref in manifest.signature.refs:
        try:
            state = published.feature(published.resolve(ref)).state
        except FieldhouseError as error:
            wrong.append(f"{ref}: {error.asked}")
            continue
        if state not in SERVABLE_STATES:
            wrong.append(f"{ref} is {state}")
    count = len(manifest.signature.refs)
    message = "; ".join(wrong) or f"{count} features may be served"
    return Check(
        "same.states", QUESTION, not wrong, message, {"features": count, "wrong": len(wrong)}
    )


def check_versions(manifest: Manifest) -> Check:
    """Every looked-up feature is one that the training set held, at the same version."""
    trained = manifest.trained_on
    if trained is None:
        message = "could not run: the bundle does not say which training set it was trained on"
        return Check("same.versions", QUESTION, False, message, ran=False)
    held = {_pin(ref) for ref in trained.features}
    strange = [ref for ref in manifest.signature.refs if _pin(ref) not in held]
    message = f"not trained on: {', '.join(strange)}" if strange else f"as in {trained.name}"
    return Check("same.versions", QUESTION, not strange, message, {"strange": len(strange)})


def _pin(text: str) -> tuple[str, str, int | None]:
    ref = parse_ref(re.sub(r"@\d+:", ":", text))  # the number of a view's line is no version
    return ref.view, ref.feature, ref.version


def check_values(
    manifest: Manifest, lookup: FeatureLookup, sample: OfflineSample, policy: GatePolicy
) -> Check:
    """The lookup gives the offline values, missing where they are missing."""
    refs = manifest.signature.refs
    plan = lookup.plan(refs, full_feature_names=True)
    online = lookup.matrix(plan, sample.keys, "(gate)").values
    if online.shape != sample.values.shape:
        message = f"looked up {online.shape} values, the offline sample has {sample.values.shape}"
        return Check("same.values", QUESTION, False, message)
    gap = np.abs(online - sample.values) > policy.parity_tolerance
    differs = gap | (np.isnan(online) != np.isnan(sample.values))
    by_feature = {ref: int(n) for ref, n in zip(refs, differs.sum(axis=0), strict=True) if n}
    count, total = int(differs.sum()), int(differs.size)
    message = f"{count} of {total} looked-up values differ from the offline ones"
    numbers = {"differ": count, "values": total, "by_feature": by_feature, "rows": len(online)}
    return Check("same.values", QUESTION, count == 0, message, numbers)
