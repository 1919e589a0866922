"""What a query may be: one SELECT, and which tables it reads. Parses, runs nothing."""

from collections.abc import Sequence
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from registry.kernel.errors import Invalid


def check_query(text: str) -> str:
    """`text` without its closing semicolon; raises `Invalid` unless it is one SELECT."""
    statements = [statement for statement in _parse(text) if statement is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        found = ", ".join(type(statement).__name__.upper() for statement in statements) or "nothing"
        raise Invalid("a query over the warehouse must be one SELECT", f"found {found}")
    return text.strip().rstrip(";").rstrip()


def tables_read(text: str) -> tuple[str, ...]:
    """The tables a query names, sorted, without the ones it makes itself (WITH)."""
    found: set[str] = set()
    made: set[str] = set()
    for statement in _parse(text):
        if statement is not None:
            found |= {table.name for table in statement.find_all(exp.Table) if table.name}
            made |= {cte.alias for cte in statement.find_all(exp.CTE)}
    return tuple(sorted(found - made))


def _parse(text: str) -> Sequence[Any]:
    try:
        return sqlglot.parse(text, dialect="duckdb")
    except SqlglotError as error:
        raise Invalid(
            "cannot read a query over the warehouse", str(error).splitlines()[0]
        ) from error
