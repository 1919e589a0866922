"""SQL text to syntax trees and back. Knows no names and no scopes.

Identifiers are compared without case, as DuckDB does, quoted or not.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

DIALECT = "duckdb"


def words(text: str) -> frozenset[str]:
    """A set of words from a line of them."""
    return frozenset(text.split())


VOLATILE = words("random uuid uuidv4 uuidv7 gen_random_uuid rand nextval currval setval stats")
# Aggregates of DuckDB 2.0 that sqlglot 30 reads as unknown functions (a test compares the lists).
OTHER_AGGREGATES = words(
    "approx_top_k arg_max_null arg_max_nulls_last arg_min_null arg_min_nulls_last bitstring_agg "
    "combine_aggr decimal_average entropy favg fsum histogram histogram_exact kahan_sum "
    "kurtosis_pop lttb mad product quantile_disc regr_avgx regr_avgy regr_count regr_intercept "
    "regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem sum_no_overflow sumkahan "
    "variant_group_object arbitrary mean"
)
_QUOTED = r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\2\$)"
_SPACE = re.compile(rf"{_QUOTED}|\s+", re.DOTALL)
_COMMENT = re.compile(rf"{_QUOTED}|--[^\n]*|/\*.*?\*/", re.DOTALL)
_PATH = re.compile(r"[./\\]")


_FRAMES = 10_000


@contextmanager
def deep_queries() -> Iterator[None]:
    """Let queries be nested deeply, whatever calls this from how deep: what a definition is must
    not hang on the caller. Beyond that `RecursionError` is raised."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class NotParsed(Exception):
    """The text is not one query in SQL that can be read; says why."""


@lru_cache(maxsize=4096)
def parsed(query: str) -> exp.Query:
    """The tree of one query, comments dropped and identifiers in lower case. Do not change it.

    Raises `NotParsed`.
    """
    try:
        bare = without_comments(query)
        statements = [s for s in sqlglot.parse(bare, dialect=DIALECT) if s is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise NotParsed(str(error).splitlines()[0] if str(error) else "not SQL") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise NotParsed("it is not one SELECT")
    for node in statements[0].walk():
        node.comments = None
        _normalise_words(node)
    return statements[0]


def whole_text(query: str) -> str:
    """One spelling of a whole query that lineage cannot follow: re-printed, else spaces evened."""
    try:
        return parsed(query).sql(dialect=DIALECT, comments=False)
    except (NotParsed, RecursionError):
        bare = without_comments(query)
        return _SPACE.sub(lambda match: match.group(1) or " ", bare).strip()


def without_comments(query: str) -> str:
    """The text with a space for each comment; sqlglot cannot read them in every place."""
    return _COMMENT.sub(lambda match: match.group(1) or " ", query)


def print_tree(tree: exp.Expr) -> str:
    """The text of a tree."""
    return tree.sql(dialect=DIALECT, comments=False)


def is_volatile(tree: exp.Expr) -> bool:
    """Whether any function in it may answer differently for each row or call."""
    return any(function_name(node) in VOLATILE for node in tree.find_all(exp.Func))


def function_name(node: exp.Func) -> str:
    """The function's name in lower case."""
    return str(node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def is_aggregate(node: exp.Expr) -> bool:
    """Whether it is a call of an aggregate function, used as an aggregate and not over a window."""
    aggregate = isinstance(node, exp.AggFunc) or (
        isinstance(node, exp.Anonymous) and node.name.lower() in OTHER_AGGREGATES
    )
    above: exp.Expr | None = node.parent
    while isinstance(above, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        node = above
        above = node.parent
    return aggregate and not (isinstance(above, exp.Window) and above.this is node)


def has_aggregate(tree: exp.Expr) -> bool:
    """Whether an aggregate is called in it, sub-queries left aside."""
    return any(is_aggregate(node) for node in own_nodes(tree))


def has_window(tree: exp.Expr) -> bool:
    """Whether a window function is called in it, sub-queries left aside."""
    return any(isinstance(node, exp.Window) for node in own_nodes(tree))


def own_nodes(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Every node of an expression except those inside sub-queries."""
    yield from tree.walk(prune=lambda node: isinstance(node, exp.Query))


def terms(tree: exp.Expr | None, kind: type[exp.Connector] = exp.And) -> list[exp.Expr]:
    """The terms of an AND (or OR), parentheses taken off; [] for None."""
    if tree is None:
        return []
    bare = tree.unnest()
    if isinstance(bare, kind):
        return [*terms(bare.this, kind), *terms(bare.expression, kind)]
    return [bare]


def _normalise_words(node: exp.Expr) -> None:
    """Keywords that sqlglot keeps as they were written, and identifiers, in one case."""
    if isinstance(node, exp.Identifier):
        _normalise_identifier(node)
    elif isinstance(node, exp.WindowSpec):
        for key, value in list(node.args.items()):
            if isinstance(value, str):
                node.set(key, value.upper())
    elif isinstance(node, exp.Var):
        word = str(node.this).upper()
        plural = isinstance(node.parent, exp.Interval) and word.endswith("S")
        node.set("this", word.removesuffix("S") if plural else word)


def _normalise_identifier(node: exp.Identifier) -> None:
    """Names lose their case and their quotes; a path in quotes (a table's) keeps both."""
    name = str(node.this)
    is_path = isinstance(node.parent, exp.Table) and bool(_PATH.search(name))
    node.set("this", name if is_path else name.lower())
    node.set("quoted", not name.replace("_", "a").isalnum() or name[:1].isdigit())
