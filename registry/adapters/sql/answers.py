"""What reviewers answered about features that look alike, in SQL: one answer a pair."""

from collections.abc import Iterable

import sqlalchemy as sa

from registry.adapters.sql import tables as t
from registry.adapters.sql.codec import from_text, to_text
from registry.core.similarity.likeness import Answer, Keys, pair_of

_AT_ONCE = 200


def save_answer(connection: sa.Connection, answer: Answer) -> None:
    """Keep an answer; a later one about the same two takes its place."""
    one, other = pair_of(*answer.keys)
    where = (t.answer.c.one == one) & (t.answer.c.other == other)
    connection.execute(sa.delete(t.answer).where(where))
    row = {"one": one, "other": other, "body": to_text(answer)}
    connection.execute(sa.insert(t.answer).values(row))


def read_answers(connection: sa.Connection, pairs: Iterable[Keys]) -> dict[Keys, Answer]:
    """The answers about these pairs, by `pair_of`."""
    wanted = {pair_of(*pair) for pair in pairs}
    ones = sorted({one for one, _ in wanted})
    found: dict[Keys, Answer] = {}
    for start in range(0, len(ones), _AT_ONCE):
        chosen = t.answer.c.one.in_(ones[start : start + _AT_ONCE])
        for row in connection.execute(sa.select(t.answer).where(chosen)):
            if (row.one, row.other) in wanted:
                found[row.one, row.other] = from_text(row.body, Answer, "answer")
    return found
