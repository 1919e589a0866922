"""Pairs of queries from elsewhere, wrapped as features: what any such corpus becomes here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

Schema = Mapping[str, Mapping[str, str]]
_NAME = re.compile(r"^[A-Za-z_]\w*$")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two queries over one schema, `equal` or proven not to be; wrapped, with their columns."""

    name: str
    equal: bool
    left: str
    right: str
    columns: int


class Unusable(Exception):
    """Why a pair is left out."""


def pair_of(name: str, equal: bool, queries: Sequence[str], schema: Schema) -> Pair:
    """Both queries as views of one key and one time, with their columns as `f0`, `f1`, ….

    Raises `Unusable` where DuckDB does not take one of them over the schema (table, column, type),
    or they have not as many columns.
    """
    with duckdb.connect(":memory:") as connection:
        try:
            for table, columns in schema.items():
                listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
                connection.execute(f'CREATE TABLE "{table}" ({listed})')
            names = [_columns(connection, query) for query in queries]
        except duckdb.Error as error:
            raise Unusable("DuckDB does not take it") from error
    if len(names[0]) != len(names[1]):
        raise Unusable("another number of columns")
    left, right = (_wrapped(q, n) for q, n in zip(queries, names, strict=True))
    return Pair(name, equal, left, right, len(names[0]))


def _columns(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    return [row[0] for row in connection.sql(f"DESCRIBE ({query})").fetchall()]


def _wrapped(query: str, names: Sequence[str]) -> str:
    """With a key and a time, and the columns under plain names."""
    plain = len(set(names)) == len(names) and all(map(_NAME.match, names))
    columns = names if plain else [f"c{n}" for n in range(len(names))]
    alias = "" if plain else f"({', '.join(columns)})"
    listed = ", ".join(f"t.{column} AS f{n}" for n, column in enumerate(columns))
    time = "TIMESTAMPTZ '2020-01-01 00:00:00+00' AS known_at"
    return f"SELECT 'one' AS carrier, {time}, {listed} FROM ({query}) AS t{alias}"


def in_checks(pairs: Sequence[Pair], size: int) -> list[list[Pair]]:
    """Dealt into groups of `size` at most in which no query occurs twice: pairs repeat one another,
    and a registry does not take the same definition twice."""
    groups: list[list[Pair]] = []
    texts: list[set[str]] = []
    for pair in pairs:
        mine = {_evened(pair.left), _evened(pair.right)}
        free = (n for n, seen in enumerate(texts) if not seen & mine and len(groups[n]) < size)
        place = next(free, len(groups))
        if place == len(groups):
            groups.append([])
            texts.append(set())
        groups[place].append(pair)
        texts[place] |= mine
    return groups


def _evened(query: str) -> str:
    return " ".join(query.lower().split())


def same_text(pair: Pair) -> bool:
    """Whether the two differ in case and spaces alone."""
    return _evened(pair.left) == _evened(pair.right)
