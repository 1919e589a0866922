"""Pairs of equal queries that SQLSolver is tested with, under the Apache License 2.0.

Reads a checkout of github.com/SJTU-IPADS/SQLSolver (Ding and others, SIGMOD 2024): its lines are
queries, and each in an odd line equals the next one. Of its sets: what Calcite's and Spark's rules
make of queries, TPC-H queries as Spark rewrites them, and questions of the Spider data set that
were written twice, the first few of each data base. Nothing of it is kept here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.duplicates.pairs import Pair, Schema, Unusable, pair_of

DATA: Final = "sqlsolver_data"
OF_EACH_DATABASE: Final = 2
_SETS: Final = (
    ("calcite", "calcite/calcite_tests", "calcite_test"),
    ("spark", "db_rule_instances/spark_tests", "calcite_test"),
    ("tpch", "prepared/rules.tpch.spark.txt", "tpch"),
)
_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?[`\"]?(\w+)[`\"]?\s*\((.*?)\n\)", re.S | re.I)
_COLUMN = re.compile(r"^\s*[`\"]?(\w+)[`\"]?\s+(\w+)", re.M)
_NOT_COLUMNS: Final = frozenset(
    {"primary", "foreign", "unique", "key", "constraint", "index", "references", "check"}
)
_KINDS: Final = {
    "int": "INTEGER", "integer": "INTEGER", "tinyint": "INTEGER", "smallint": "INTEGER",
    "bigint": "BIGINT", "decimal": "DOUBLE", "numeric": "DOUBLE", "real": "DOUBLE",
    "float": "DOUBLE", "double": "DOUBLE", "number": "DOUBLE", "date": "DATE",
    "datetime": "TIMESTAMP", "timestamp": "TIMESTAMP", "bool": "BOOLEAN", "boolean": "BOOLEAN",
}  # fmt: skip


def read_sqlsolver(folder: Path) -> tuple[list[Pair], Counter[str]]:
    """The pairs that DuckDB takes; how many were left out, by reason."""
    found: list[Pair] = []
    out: Counter[str] = Counter()
    for name, queries, schema in _written_twice(folder / DATA):
        try:
            found.append(pair_of(name, True, queries, schema))
        except Unusable as why:
            out[str(why)] += 1
    return found, out


def _written_twice(data: Path) -> Iterator[tuple[str, tuple[str, str], Schema]]:
    for source, file, schema in _SETS:
        tables = _schema(data, schema)
        for number, queries in enumerate(_lines(data / file)):
            yield f"{source}_{number}", queries, tables
    for rules in sorted((data / "spider_large").glob("rules.*.sql.txt")):
        database = rules.name.removeprefix("rules.").removesuffix(".sql.txt")
        for number, queries in enumerate(_lines(rules)[:OF_EACH_DATABASE]):
            # There, texts stand in double quotes.
            one, other = (query.replace('"', "'") for query in queries)
            yield f"{database}_{number}".lower(), (one, other), _schema(data, database)


def _lines(file: Path) -> list[tuple[str, str]]:
    lines = [line.strip().rstrip(";") for line in file.read_text().splitlines() if line.strip()]
    return list(zip(lines[::2], lines[1::2], strict=False))


def _schema(data: Path, name: str) -> Schema:
    """Tables, columns and DuckDB's types, from MySQL's or SQLite's CREATE TABLE."""
    text = (data / "schemas" / f"{name}.base.schema.sql").read_text()
    return {
        table: {
            column: _KINDS.get(kind.lower(), "VARCHAR")
            for column, kind in _COLUMN.findall(body)
            if column.lower() not in _NOT_COLUMNS
        }
        for table, body in _TABLE.findall(text)
    }
