"""The whole registry as families: by definition, by facets, and by the values that are kept."""

from registry.core.similarity.families import families
from registry.core.similarity.kinship import Kin, Pair, kinships, pairs_to_ask
from registry.service.alike import alike_pairs
from registry.service.context import Context
from registry.service.search import registered_members


def whole_registry(context: Context) -> list[Kin]:
    """Every family of the live features of all namespaces, those with something open first."""
    members = registered_members(context)
    entities = {entity_of(member.join_keys) for member in members.values()}
    pairs = [Pair(p.left, p.right, p.verdict, p.why) for p in alike_pairs(context, entities - {""})]
    shaped = families(m for m in members.values() if m.expression)
    equal = [Pair(g[0], ref, "", "") for f in shaped for g in f.duplicates for ref in g[1:]]
    with context.store.read() as transaction:
        answers = transaction.answers(pairs_to_ask([*pairs, *equal], members))
    return kinships(members, shaped, pairs, answers)


def entity_of(join_keys: str) -> str:
    """The names of join keys, as sketches name their entity: `carrier string` is `carrier`."""
    return ", ".join(sorted(key.split(" ")[0] for key in join_keys.split(", ")))
