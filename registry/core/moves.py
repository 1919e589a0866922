"""Features that say where they come from: `governed(moved_from="namespace/view:feature")`. Pure.

A moved feature goes on with the version and the history of its past. It is no duplicate of it, and
the past's name, once it is retired, answers with the new one.
"""

from collections.abc import Mapping

from registry.core.compiled import Compiled, CompiledFeature
from registry.core.state import FeatureRecord, NamespaceState
from registry.kernel.refs import FeatureRef, parse_ref

Pasts = Mapping[str, FeatureRecord]


def whole_ref(text: str, namespace: str) -> str:
    """`namespace/view:feature` of a reference as `namespace` writes it, without a version."""
    ref = parse_ref(text)
    return str(FeatureRef(ref.view, ref.feature, None, ref.namespace or namespace))


def past_name(feature: CompiledFeature, namespace: str) -> str | None:
    """The whole reference that a feature says it was moved from; None when it says none."""
    said = feature.facts.moved_from
    return None if said is None else whole_ref(said, namespace)


def past_names(compiled: Compiled) -> dict[str, str]:
    """The whole reference of the past by `view:feature`, of every feature that names one."""
    named = {ref: past_name(f, compiled.namespace) for ref, f in compiled.features.items()}
    return {ref: past for ref, past in named.items() if past is not None}


def moved_names(state: NamespaceState, subject: str) -> list[str]:
    """A subject's name and, where it is a feature that was moved, the names that it had before."""
    pasts = {
        record.short_ref: record.facts.moved_from
        for record in state.features.values()
        if record.facts.moved_from
    }
    names, name = [subject], subject.partition("@")[0]
    while (before := pasts.get(name)) is not None and before not in names:
        name = before.removeprefix(f"{state.namespace}/")
        names.append(name.rpartition("/")[2])
    return names


def moved_version(feature: CompiledFeature, past: FeatureRecord) -> int:
    """The version that goes on: the past's, or the next where it now means something else."""
    return past.version if feature.meaning == past.meaning else past.version + 1
