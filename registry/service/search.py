"""Finding features before writing one: by words, by the SQL that one was about to write."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registry.core.definitions import Source
from registry.core.digests import column_expression
from registry.core.similarity.facets import differing_facets, set_facets_apart, spoken
from registry.core.similarity.families import Family, Member, families
from registry.core.similarity.structure import near_copy
from registry.core.similarity.trees import sql_tree
from registry.core.similarity.words import Document, WordIndex
from registry.core.sql_lineage import output_columns
from registry.core.state import FeatureRecord
from registry.kernel.errors import Invalid
from registry.ports import Transaction
from registry.service.context import Context

MAX_QUERY = 200_000
MAX_QUESTION = 4_000
CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A feature that answers a question, and why it was found."""

    ref: str
    owner: str
    state: str
    unit: str
    description: str
    why: str
    score: float = 0.0


def search_words(
    context: Context, question: str, entity: str | None = None, limit: int = 10
) -> list[Found]:
    """The live features of every namespace whose words fit the question best; without a question
    those of the entity, by name."""
    if len(question) > MAX_QUESTION:
        raise Invalid(f"a question of {len(question)} characters", f"at most {MAX_QUESTION}")
    with context.store.read() as transaction:
        records = dict(_live(transaction, entity))
    if not question.strip():
        listed = sorted(records)[:limit]
        return [answer_of(ref, records[ref], f"found by {entity}", 0.0) for ref in listed]
    index = WordIndex.of(_document(ref, record) for ref, record in records.items())
    return [
        answer_of(hit.ref, records[hit.ref], f"shares: {', '.join(hit.words)}", hit.score)
        for hit in index.search(question, limit)
    ]


def search_sql(context: Context, query: str, limit: int = 10) -> list[Found]:
    """Features that compute what a column of this query computes, or the same but for constants.

    Raises `Invalid` when the query does not parse or its columns cannot be told.
    """
    if len(query) > MAX_QUERY:
        raise Invalid(f"a query of {len(query)} characters", f"at most {MAX_QUERY} are read")
    columns = output_columns(query)
    if columns is None:
        raise Invalid("the columns of this query cannot be told", hint="write one plain SELECT")
    source = Source("question", "sql", query=query)
    wanted = {column: column_expression(source, column) for column in columns}
    with context.store.read() as transaction:
        records = dict(_live(transaction, None))
        found = [
            answer
            for column, expression in wanted.items()
            for answer in (
                *_same_or_variant(column, expression, records.items()),
                *_near(column, expression, transaction),
            )
        ]
    best: dict[str, Found] = {}
    for answer in sorted(found, key=lambda f: (-f.score, f.ref)):
        best.setdefault(answer.ref, answer)
    return list(best.values())[:limit]


def _near(column: str, expression: str, transaction: Transaction) -> Iterable[Found]:
    """Definitions that are a piece or two away."""
    from registry.core.similarity.minhash import bands  # numpy is for those who compare

    tree = sql_tree(expression)
    if tree is None:
        return
    for namespace, record in transaction.structure_candidates(bands(tree), CANDIDATES):
        theirs = sql_tree(dict(record.facets).get("expression", ""))
        copy = None if theirs is None else near_copy(theirs, tree)
        if copy is not None:
            ref = f"{namespace}/{record.ref}"
            yield answer_of(ref, record, f"as column {column}: {copy.why}", copy.ratio)


def find_families(context: Context) -> list[Family]:
    """Every family of the live features of all namespaces, those with duplicates first."""
    return families(m for m in registered_members(context).values() if m.expression)


def registered_members(context: Context) -> dict[str, Member]:
    """Every live feature of all namespaces by its reference, as families show it."""
    with context.store.read() as transaction:
        return {ref: _member(ref, record) for ref, record in _live(transaction, None)}


def _same_or_variant(
    column: str, expression: str, records: Iterable[tuple[str, FeatureRecord]]
) -> Iterable[Found]:
    asked = set_facets_apart(expression)
    for ref, record in records:
        theirs = dict(record.facets).get("expression", "")
        if theirs == expression:
            yield answer_of(ref, record, f"computes exactly what column {column} computes", 2.0)
            continue
        faceted = set_facets_apart(theirs)
        if faceted.shape == asked.shape:
            pieces = differing_facets(asked, faceted)
            differs = [f"{kind} {spoken(b)} for {spoken(a)}" for kind, a, b in pieces]
            yield answer_of(ref, record, f"as column {column} but {'; '.join(differs)}", 1.0)


def _live(transaction: Transaction, entity: str | None) -> Iterable[tuple[str, FeatureRecord]]:
    for namespace, record in transaction.live_features():
        if entity is None or entity in _key_names(record):
            yield f"{namespace}/{record.ref}", record


def _key_names(record: FeatureRecord) -> Sequence[str]:
    return [key.split(" ")[0] for key in dict(record.facets).get("join keys", "").split(", ")]


def _document(ref: str, record: FeatureRecord) -> Document:
    facets = dict(record.facets)
    return (
        Document(
            ref=ref,
            name=record.name,
            view=record.view,
            description=record.facts.description or "",
            unit=record.facts.unit or "",
            join_keys=" ".join(_key_names(record)),
        )
        if facets
        else Document(ref, record.name, record.view)
    )


def _member(ref: str, record: FeatureRecord) -> Member:
    facets = dict(record.facets)
    return Member(
        ref=ref,
        definition_key=record.definition_key,
        owner=record.facts.owner or "",
        state=record.state,
        join_keys=facets.get("join keys", ""),
        expression="" if record.on_demand else facets.get("expression", ""),
    )


def answer_of(ref: str, record: FeatureRecord, why: str, score: float) -> Found:
    """A feature as an answer."""
    facts = record.facts
    return Found(
        ref=ref,
        owner=facts.owner or "",
        state=record.state,
        unit=facts.unit or "",
        description=facts.description or "",
        why=why,
        score=round(score, 3),
    )
