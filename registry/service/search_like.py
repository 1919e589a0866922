"""Finding features by a column of values: whatever it is called and however it was computed."""

from dataclasses import dataclass

from registry.core.similarity.values import MIN_PAIRS, ValueSketch, compare
from registry.core.similarity.verdict import judge_pair
from registry.kernel.errors import NotFound
from registry.ports import Transaction
from registry.service.context import Context
from registry.service.kinship import entity_of
from registry.service.search import Found, answer_of

CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class Alike:
    """Features with such values, most alike first, and how many were compared, of which so many
    had too few keys and times in common to tell."""

    found: tuple[Found, ...]
    compared: int
    too_few: int


def search_like(context: Context, sketch: ValueSketch, limit: int = 10) -> Alike:
    """The live features of the sketch's entity whose values are the same, or the same but for a
    unit, rounding or a shift in time.

    Raises `NotFound` when no registered feature is found by these join keys.
    """
    hits: list[Found] = []
    compared = too_few = 0
    with context.store.read() as transaction:
        for namespace, record, other in transaction.value_candidates(sketch, CANDIDATES):
            values = compare(other, sketch)
            compared += 1
            too_few += values is None or values.pairs < MIN_PAIRS
            names = ("the column", record.short_ref)
            judged = judge_pair(same_definition=False, same_shape=False, values=values, names=names)
            if values is not None and judged.verdict in ("duplicate", "near-duplicate"):
                score = values.share + (judged.verdict == "duplicate")
                hits.append(answer_of(f"{namespace}/{record.ref}", record, judged.why, score))
        if not compared:
            _check_entity(transaction, sketch.entity)
    ranked = sorted(hits, key=lambda hit: (-hit.score, hit.ref))
    return Alike(tuple(ranked[:limit]), compared, too_few)


def _check_entity(transaction: Transaction, entity: str) -> None:
    """Whether anything is registered that is found by these keys."""
    known = {
        entity_of(dict(record.facets).get("join keys", ""))
        for _, record in transaction.live_features()
    } - {""}
    if entity not in known:
        hint = f"features are found by: {'; '.join(sorted(known)[:20])}"
        raise NotFound("entity with the join keys", entity[:200], known, hint)
