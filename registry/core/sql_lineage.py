"""What one column of a query is computed from: canonical SQL of that column alone. Pure.

The text is the same whatever the layout, aliases, comments, nesting in CTEs or sub-queries, and
whatever other columns the query has. It reads as SQL and means the same as the query for that
column. Queries that cannot be followed soundly count as a whole.
"""

from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from registry.core.sql_blocks import Block, Union, Unsupported, output_names
from registry.core.sql_build import build
from registry.core.sql_emit import emit
from registry.core.sql_text import NotParsed, deep_queries, parsed, print_tree, whole_text


@dataclass(frozen=True, slots=True)
class Followed:
    """Whether a query's columns are followed; if not, why it counts as a whole."""

    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason


def followed(query: str) -> Followed:
    """Whether lineage understands the query; false with the reason otherwise."""
    built = _built(query)
    return Followed(built) if isinstance(built, str) else Followed()


@lru_cache(maxsize=65536)
@deep_queries()
def column_text(query: str, columns: tuple[str, ...]) -> str:
    """Canonical SQL that gives these output columns of the query, in this order.

    Where that cannot be said of the columns alone, the text of the whole query, in one spelling.
    """
    built = _built(query)
    if not isinstance(built, str):
        try:
            return print_tree(emit(built, [name.lower() for name in columns]))
        except (Unsupported, RecursionError):
            pass
    return f"{whole_text(query)} -- whole, for {', '.join(columns)}"


def output_columns(query: str) -> tuple[str, ...] | None:
    """The names of the query's columns in order; None when they cannot be known from its text."""
    built = _built(query)
    if isinstance(built, str):
        return None
    try:
        return tuple(output_names(built))
    except Unsupported:
        return None


def source_tables(query: str) -> frozenset[str]:
    """The tables that the query reads, by logical name, CTEs left aside; empty when not parsed."""
    try:
        tree = parsed(query)
    except NotParsed:
        return frozenset()
    found = set()
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not _is_cte(table):
            found.add(".".join(part.name for part in table.parts))
    return frozenset(found)


def _is_cte(table: exp.Table) -> bool:
    """Whether a CTE in scope has the name; one is in scope for those after it, not for itself."""
    if table.db:
        return False
    inside: exp.Expr = table
    while inside.parent is not None:
        above = inside.parent
        clause = above.args.get("with_") if isinstance(above, exp.Query) else None
        if clause is not None and any(_seen(cte, table, clause) for cte in clause.expressions):
            return True
        inside = above
    return False


def _seen(cte: exp.CTE, table: exp.Table, clause: exp.With) -> bool:
    if cte.alias != table.name:
        return False
    holder = table.find_ancestor(exp.CTE)
    while holder is not None and holder.parent is not clause:
        holder = holder.find_ancestor(exp.CTE)
    if holder is None:
        return True
    order = list(clause.expressions)
    before = next(i for i, c in enumerate(order) if c is cte)
    own = next(i for i, c in enumerate(order) if c is holder)
    return before < own or (before == own and bool(clause.args.get("recursive")))


@lru_cache(maxsize=4096)
@deep_queries()
def _built(query: str) -> Block | Union | str:
    """The blocks of a query, or why there are none. Shared by all columns: never changed."""
    try:
        return build(parsed(query))
    except (NotParsed, Unsupported) as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
