"""Features whose definition is another's but for a piece or two: advice for a new one's author."""

from collections.abc import Iterator

from registry.core.changes import Plan
from registry.core.compiled import Compiled, CompiledFeature
from registry.core.duplication import NearMatch, known_feature
from registry.core.similarity.structure import NearCopy, near_copy
from registry.core.similarity.trees import Tree, sql_tree
from registry.core.state import FeatureRecord
from registry.ports import Transaction

# Of the candidates that share most pieces so many are compared piece by piece.
CANDIDATES = 6


def near_matches(compiled: Compiled, planned: Plan, transaction: Transaction) -> list[NearMatch]:
    """The nearest registered definition of each new feature, of the same entity and another view.

    Equal definitions are another tier's business, and so are on-demand features, whose code is not
    indexed.
    """
    from registry.core.similarity.minhash import bands  # numpy is for those who compare

    found: list[NearMatch] = []
    for feature in _new_features(compiled, planned):
        tree = sql_tree(dict(feature.facets).get("expression", ""))
        if tree is None:
            continue
        others = transaction.structure_candidates(bands(tree), CANDIDATES)
        near = [
            (copy, namespace, record)
            for namespace, record in others
            if (copy := _compared(tree, compiled.namespace, feature, namespace, record)) is not None
        ]
        if near:
            copy, namespace, record = max(near, key=lambda match: match[0].ratio)
            found.append(NearMatch(feature, known_feature(namespace, record), copy.why))
    return found


def _new_features(compiled: Compiled, planned: Plan) -> Iterator[CompiledFeature]:
    for change in planned.changes:
        added = change.aspect == "meaning" and change.action in ("add", "change")
        if change.object == "feature" and added:
            feature = compiled.features[change.name]
            if not feature.on_demand:
                yield feature


def _compared(
    tree: Tree, namespace: str, feature: CompiledFeature, other: str, record: FeatureRecord
) -> NearCopy | None:
    facets = dict(record.facets)
    beside = (other, record.view) == (namespace, feature.view)
    elsewhere = facets.get("join keys") != dict(feature.facets).get("join keys")
    if beside or elsewhere or record.definition_key == feature.definition_key:
        return None
    theirs = sql_tree(facets.get("expression", ""))
    return None if theirs is None else near_copy(theirs, tree)
