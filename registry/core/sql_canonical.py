"""One spelling for expressions of SQL. Knows no names and no scopes.

Only rewrites that keep the meaning for every table are made here: order of AND and OR terms,
direction of comparisons, BETWEEN, redundant parentheses, order of IN lists and PARTITION BY, sums
of small whole numbers, and what `registry.core.sql_counts` says of conditions.
"""

from collections.abc import Callable, Iterable

from sqlglot import exp

from registry.core.sql_counts import counted_in_window, filtered, listed
from registry.core.sql_text import print_tree, terms

_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {exp.GT: exp.LT, exp.GTE: exp.LTE}
_SYMMETRIC = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
_OPERATORS = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Pow, exp.DPipe, exp.Neg),
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.Escape),
    *(exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot),
    *(exp.BitwiseLeftShift, exp.BitwiseRightShift),
)
_ATOMS = (
    *(exp.Column, exp.Literal, exp.Boolean, exp.Null, exp.Cast, exp.Case, exp.Window),
    *(exp.Func, exp.Filter),
)
# Below these an operator needs no parentheses, since commas or keywords end it.
_DELIMITING = (
    *(exp.Select, exp.Where, exp.Having, exp.Qualify, exp.Group, exp.Order, exp.Ordered),
    *(exp.Alias, exp.Paren, exp.Tuple, exp.Join, exp.Case, exp.If, exp.Cast, exp.Filter),
    *(exp.Distinct, exp.Window, exp.Anonymous, exp.Coalesce, exp.AggFunc),
)


def joined(parts: Iterable[exp.Expr], kind: type[exp.Connector] = exp.And) -> exp.Expr:
    """Terms as one AND (or OR), sorted by text and without doubles."""
    by_text = {print_tree(part): part for part in listed(parts, kind)}
    if len(by_text) == 1:
        return next(iter(by_text.values()))
    result, *rest = (_wrapped_term(by_text[text], kind) for text in sorted(by_text))
    for part in rest:
        result = kind(this=result, expression=part)
    return result


def canonical(tree: exp.Expr) -> exp.Expr:
    """The tree in its canonical spelling. `tree` is used up."""
    return _parenthesised(_bottom_up(tree, _rewritten))


def _bottom_up(tree: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    for child in list(tree.iter_expressions()):
        changed = _bottom_up(child, change)
        if changed is not child:
            child.replace(changed)
    return change(tree)


def _rewritten(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Paren) and isinstance(node.this, (*_OPERATORS, *_ATOMS, exp.Paren)):
        return node.this
    folded = _folded(node)
    if folded is not None:
        return folded
    if isinstance(node, exp.Between) and not node.args.get("symmetric"):
        low = exp.LTE(this=node.args["low"], expression=node.this.copy())
        return exp.And(this=low, expression=exp.LTE(this=node.this, expression=node.args["high"]))
    if type(node) in _FLIPPED:
        return _FLIPPED[type(node)](this=node.expression, expression=node.this)
    if isinstance(node, _SYMMETRIC) and print_tree(node.this) > print_tree(node.expression):
        return type(node)(this=node.expression, expression=node.this)
    if isinstance(node, exp.Interval) and isinstance(node.this, exp.Literal):
        node.set("this", exp.Literal.string(node.this.name))
    return counted_in_window(_listed(filtered(node)))


def _listed(node: exp.Expr) -> exp.Expr:
    """Lists whose order says nothing, in one order."""
    if isinstance(node, exp.In) and node.expressions:
        values = sorted_unique(node.expressions)
        if len(values) == 1:
            sides = sorted((node.this, values[0]), key=print_tree)
            return exp.EQ(this=sides[0], expression=sides[1])
        node.set("expressions", values)
    if isinstance(node, exp.Window) and node.args.get("partition_by"):
        node.set("partition_by", sorted_unique(node.args["partition_by"]))
    return node


def _folded(node: exp.Expr) -> exp.Expr | None:
    """A sum, difference or product of two small whole numbers, as the number that it is."""
    if not isinstance(node, exp.Add | exp.Sub | exp.Mul):
        return None
    left, right = _whole_number(node.this), _whole_number(node.expression)
    if left is None or right is None:
        return None
    made = {exp.Add: left + right, exp.Sub: left - right, exp.Mul: left * right}[type(node)]
    literal = exp.Literal.number(abs(made))
    return literal if made >= 0 else exp.Neg(this=literal)


def _whole_number(node: exp.Expr) -> int | None:
    """A literal of an INTEGER so small that no sum or product of two is of another type."""
    bare = node.unnest()
    if isinstance(bare, exp.Neg):
        inner = _whole_number(bare.this)
        return None if inner is None else -inner
    whole = isinstance(bare, exp.Literal) and bare.is_int and len(bare.name) <= 4
    return int(bare.name) if whole else None


def sorted_unique(nodes: Iterable[exp.Expr]) -> list[exp.Expr]:
    """Nodes by their text, each text once."""
    by_text = {print_tree(node): node for node in nodes}
    return [by_text[text] for text in sorted(by_text)]


def _parenthesised(node: exp.Expr) -> exp.Expr:
    """Exactly one pair of parentheses around each operator that stands inside another."""
    if isinstance(node, exp.And | exp.Or):
        return joined([_parenthesised(term) for term in terms(node, type(node))], type(node))
    for child in list(node.iter_expressions()):
        changed = _parenthesised(child)
        if isinstance(changed, _OPERATORS) and not isinstance(node, _DELIMITING):
            hole = child.replace(exp.Placeholder())  # no copy: it would be one at every depth
            hole.replace(exp.Paren(this=changed))
        elif changed is not child:
            child.replace(changed)
    return node


def _wrapped_term(term: exp.Expr, kind: type[exp.Connector]) -> exp.Expr:
    other = exp.Or if kind is exp.And else exp.And
    return exp.Paren(this=term) if isinstance(term, other) else term
