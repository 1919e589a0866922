"""What becomes of features: new, gone, moved, or other meanings, words and states. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from registry.core.changes import Change, Difference, differing
from registry.core.compiled import Compiled, CompiledFeature
from registry.core.definitions import Governance
from registry.core.moves import Pasts, moved_version, past_name
from registry.core.readers import Readers
from registry.core.state import FeatureRecord, NamespaceState, newest_features
from registry.kernel.canonical import digest

TEXT_FACTS = (
    "owner",
    "description",
    "unit",
    "sensitivity",
    "sunset",
    "replaced_by",
    "moved_from",
    "reason",
)


def feature_changes(
    compiled: Compiled, state: NamespaceState, readers: Readers, pasts: Pasts
) -> Iterator[Change]:
    newest = newest_features(state)
    own = {f"{state.namespace}/{ref}": record for ref, record in newest.items()}
    for ref, feature in compiled.features.items():
        known = newest.get(ref)
        if known is None or not known.live:
            name = past_name(feature, compiled.namespace)
            past = {**pasts, **own}.get(name) if name and known is None else None
            yield _added(feature, known) if past is None else _moved(feature, past, str(name))
        else:
            yield from _changed(feature, known, readers)
    for record in state.features.values():
        if record.live and record.short_ref not in compiled.features:
            yield Change(
                "remove",
                "feature",
                record.ref,
                "state",
                (Difference("state", record.state, "retired"),),
                version=record.version,
                readers=readers.get(record.ref, ()),
                basis=record.meaning,
            )


def _added(feature: CompiledFeature, known: FeatureRecord | None) -> Change:
    version = 1 if known is None else known.version + 1
    declared = feature.facts.version
    return Change(
        "add",
        "feature",
        feature.ref,
        "meaning",
        tuple(Difference(name, None, text) for name, text in feature.facets),
        version=version,
        acknowledged=declared == version or (declared is None and version == 1),
        result=digest([feature.meaning, _words(feature), feature.facts.state or "draft"]),
        location=feature.location,
    )


def _moved(feature: CompiledFeature, past: FeatureRecord, name: str) -> Change:
    """The feature under its new name, which goes on with its past's version."""
    version, declared = moved_version(feature, past), feature.facts.version
    kept = feature.meaning == past.meaning
    made = _added(feature, None)
    return replace(
        made,
        action="move",
        version=version,
        acknowledged=declared == version or (declared is None and kept),
        differences=(
            Difference("moved from", f"{name}@{past.version}", feature.ref),
            *differing(dict(past.facets), dict(feature.facets)),
        ),
        basis=past.meaning,
    )


def _changed(feature: CompiledFeature, known: FeatureRecord, readers: Readers) -> Iterator[Change]:
    change = Change(
        "change",
        "feature",
        feature.ref,
        "meaning",
        version=known.version,
        readers=readers.get(known.ref, ()),
        basis=known.meaning,
        result=feature.meaning,
        location=feature.location,
    )
    if feature.meaning != known.meaning:
        version = known.version + 1
        yield replace(
            change,
            differences=differing(dict(known.facets), dict(feature.facets)),
            version=version,
            acknowledged=feature.facts.version == version,
        )
    said = differing(_text(known.facts), _text(feature.facts))
    if said or feature.text != known.text:
        yield replace(
            change,
            aspect="text",
            differences=said,
            basis=known.text,
            result=feature.text,
        )
    declared = feature.facts.state or "draft"
    held = known.before_quarantine or known.state
    if declared != held:
        yield replace(
            change,
            aspect="state",
            differences=(Difference("state", held, declared),),
            basis=held,
            result=declared,
        )


def _words(feature: CompiledFeature | FeatureRecord) -> str:
    """The digest of all that is said about a feature, the date of its sunset too."""
    return digest([feature.text, _text(feature.facts)])


def _text(facts: Governance) -> dict[str, str]:
    values = {name: getattr(facts, name) for name in TEXT_FACTS}
    values["staleness"] = facts.staleness
    return {name: str(value) for name, value in values.items() if value is not None}


def with_moves(changes: list[Change], compiled: Compiled, state: NamespaceState) -> list[Change]:
    """A removal and an addition of one definition under one feature name is a move."""
    removed = {
        (state.features[c.name].definition_key, state.features[c.name].name): c
        for c in changes
        if c.object == "feature" and c.action == "remove"
    }
    moved: list[Change] = []
    for change in changes:
        feature = compiled.features.get(change.name)
        if change.object == "feature" and change.action == "add" and feature is not None:
            source = removed.get((feature.definition_key, feature.name))
            if source is not None:
                where = Difference("moved from", source.name, change.name)
                change = replace(
                    change,
                    action="move",
                    readers=source.readers,
                    differences=(where, *change.differences),
                )
        moved.append(change)
    return moved
