"""A definition with its constants set apart: window, filter, aggregation, factor. Pure.

Two features that are equal but for facets are *variants* of one family (30 days and 7 days of the
same mean), never duplicates. Where a query cannot be parsed there are no facets, and the family is
the definition itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

WINDOW, FILTER, AGGREGATION, CONSTANT = "window", "filter", "aggregation", "constant"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Like)
_SECONDS = {
    "MICROSECOND": 1e-6,
    "MILLISECOND": 1e-3,
    "SECOND": 1.0,
    "MINUTE": 60.0,
    "HOUR": 3600.0,
    "DAY": 86400.0,
    "WEEK": 604800.0,
}


@dataclass(frozen=True, slots=True)
class Faceted:
    """`shape` is the expression with facets blanked out; `facets` are (kind, value) as they stood,
    in the order of the expression."""

    shape: str
    facets: tuple[tuple[str, str], ...]


def set_facets_apart(expression: str) -> Faceted:
    """Blank the facets of a canonical expression (`registry.core.digests.column_expression`)."""
    try:
        tree = sqlglot.parse_one(expression, read="duckdb")
    except (SqlglotError, RecursionError):
        return Faceted(expression, ())
    found: list[tuple[str, str]] = []
    blanks = [(node, kind, value) for node, kind, value in _facets(tree)]
    for node, kind, value in blanks:
        found.append((kind, value))
        if kind == AGGREGATION:
            node.replace(exp.Anonymous(this="AGGREGATE", expressions=_arguments(node)))
        elif kind == WINDOW:
            node.replace(exp.Placeholder(this="window"))
        else:
            node.replace(exp.Placeholder(this=kind))
    return Faceted(tree.sql(dialect="duckdb"), tuple(found))


def _facets(tree: exp.Expr) -> Iterator[tuple[exp.Expr, str, str]]:
    """The facets of the tree, innermost first so that replacing one does not lose another."""
    for node in reversed(list(tree.walk())):
        if isinstance(node, exp.Interval):
            yield node, WINDOW, _span(node)
        elif isinstance(node, exp.AggFunc) and not isinstance(node, exp.Window):
            yield node, AGGREGATION, str(node.sql_name()).lower()
        elif isinstance(node, exp.Literal) and not isinstance(node.parent, exp.Interval):
            inside = node.find_ancestor(*_COMPARISONS)
            yield node, FILTER if inside is not None else CONSTANT, str(node.this)


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    return [child.copy() for child in node.iter_expressions()]


def _span(node: exp.Interval) -> str:
    """A window's length in seconds where that is one number, so that 24 HOUR equals 1 DAY."""
    unit = str(node.args.get("unit") or "").upper().rstrip("S")
    count = node.this
    if isinstance(count, exp.Literal) and unit in _SECONDS:
        return f"{float(count.this) * _SECONDS[unit]:.12g} s"
    return node.sql(dialect="duckdb").lower()


def spoken(value: str) -> str:
    """A facet as people say it: a window of `604800 s` is 7 days."""
    seconds = value.removesuffix(" s")
    if seconds == value or not seconds.isdigit():
        return value
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count, rest = divmod(int(seconds), length)
        if count and not rest:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return value


def differing_facets(left: Faceted, right: Faceted) -> list[tuple[str, str, str]]:
    """(kind, left's value, right's value) where two of one shape differ, each pair once."""
    pairs = zip(left.facets, right.facets, strict=False)
    different = [(a[0], a[1], b[1]) for a, b in pairs if a != b]
    return list(dict.fromkeys(different))


def variant_by(known: str, new: str) -> str:
    """By what a new expression is a variant of a known one, in words; "" where it is none.

    Another window, filter or aggregation makes a variant. Another constant alone does not: it may
    be another unit of the same. Nor do equal expressions, which then differ in keys or times.
    """
    left, right = set_facets_apart(known), set_facets_apart(new)
    if left.shape != right.shape:
        return ""
    differing = differing_facets(left, right)
    if all(kind == CONSTANT for kind, _, _ in differing):
        return ""
    return "; ".join(f"{kind} {theirs} for {ours}" for kind, ours, theirs in differing)
