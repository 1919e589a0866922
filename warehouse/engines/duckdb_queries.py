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


def is_settled(text: str) -> bool:
    """Whether the query gives the same again while its tables stay the same: it asks for no clock
    and no chance, and takes no sample."""
    for statement in _parse(text):
        if statement is not None:
            if any(statement.find_all(*_UNSETTLED_NODES)):
                return False
            calls = statement.find_all(exp.Anonymous)
            if any(call.name.lower() in _UNSETTLED_CALLS for call in calls):
                return False
    return True


_UNSETTLED_NODES = (
    exp.CurrentTimestamp,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentDatetime,
    exp.Rand,
    exp.Uuid,
    exp.TableSample,
)
_UNSETTLED_CALLS = frozenset(
    {
        "now",
        "today",
        "get_current_timestamp",
        "get_current_time",
        "current_localtime",
        "current_localtimestamp",
        "transaction_timestamp",
        "random",
        "setseed",
        "uuid",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "nextval",
    }
)


def _parse(text: str) -> Sequence[Any]:
    try:
        return sqlglot.parse(text, dialect="duckdb")
    except SqlglotError as error:
        raise Invalid(
            "cannot read a query over the warehouse", str(error).splitlines()[0]
        ) from error
