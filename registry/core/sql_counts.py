"""One spelling for counts and sums under a condition, and for one value of several. Pure.

`COUNT(CASE WHEN p THEN 1 END)` and `COUNT(*) FILTER (WHERE p)` are one wherever they stand;
`COUNT_IF(p)` is not, since in DuckDB it is null where p always is. `SUM(CASE WHEN p THEN 1 ELSE 0
END)` is the same where at least one row is aggregated, as in a group or a window that holds its own
row: of none the sum is null and the count 0.
"""

from collections import defaultdict
from collections.abc import Iterable

from sqlglot import exp

from registry.core.sql_text import is_aggregate, own_nodes, print_tree

# Aggregates that leave nulls out, so that a condition may stand in the value or in a FILTER.
_OF_VALUES = (
    *(exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.Count),
    *(exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
)
_AHEAD = ("CURRENT ROW", "UNBOUNDED", "FOLLOWING")
_BEHIND = ("CURRENT ROW", "UNBOUNDED", "PRECEDING")


def filtered(node: exp.Expr) -> exp.Expr:
    """An aggregate of a conditional value as that of the value under FILTER; else the node."""
    if isinstance(node.parent, exp.Filter):
        return node
    if type(node) not in _OF_VALUES or len([v for v in node.args.values() if v]) > 2:
        return node
    found = _conditional(node.this)
    if found is None or not _is_null(found[2]):
        return node
    condition, value, _ = found
    counted = isinstance(node, exp.Count) and isinstance(value, exp.Literal | exp.Boolean)
    node.set("this", exp.Star() if counted else value)
    return _under(node.copy(), condition)


def counted_in_window(node: exp.Expr) -> exp.Expr:
    """A window's sum or mean of ones and zeros as counts, where its own row is always in it."""
    if not isinstance(node, exp.Window) or not _holds_its_row(node):
        return node
    condition = _ones(node.this)
    return node if condition is None else _counts(node.this, condition, node)


def counted_in_groups(tree: exp.Expr) -> exp.Expr:
    """The same for aggregates of groups, none of which is empty. `tree` is used up."""
    for node in [n for n in own_nodes(tree) if isinstance(n, exp.Sum | exp.Avg)]:
        condition = None
        if is_aggregate(node) and not isinstance(node.parent, exp.Filter):
            condition = _ones(node)
        if condition is not None:
            made = _counts(node, condition, None)
            if node is tree:
                return made
            node.replace(exp.Paren(this=made) if isinstance(made, exp.Div) else made)
    return tree


def listed(parts: Iterable[exp.Expr], kind: type[exp.Connector]) -> list[exp.Expr]:
    """Terms of OR that are equalities of one thing as one IN; of AND, its negation."""
    single, several = (exp.EQ, exp.In) if kind is exp.Or else (exp.NEQ, None)
    groups: dict[str, list[exp.Expr]] = defaultdict(list)
    things: dict[str, exp.Expr] = {}
    left: list[exp.Expr] = []
    for part in parts:
        found = _equated(part, single, several)
        if found is None:
            left.append(part)
        else:
            text = f"{print_tree(found[0])} {found[1][0].is_string}"
            things.setdefault(text, found[0])
            groups[text] += found[1]
    return [*left, *(_one_of(things[text], groups[text], kind) for text in groups)]


def _one_of(thing: exp.Expr, values: list[exp.Expr], kind: type[exp.Connector]) -> exp.Expr:
    by_text = {print_tree(value): value for value in values}
    if len(by_text) == 1:
        equal = exp.EQ if kind is exp.Or else exp.NEQ
        sides = sorted((thing.copy(), values[0].copy()), key=print_tree)
        return equal(this=sides[0], expression=sides[1])
    made = exp.In(this=thing.copy(), expressions=[by_text[text].copy() for text in sorted(by_text)])
    return made if kind is exp.Or else exp.Not(this=exp.Paren(this=made))


def _equated(
    term: exp.Expr, single: type[exp.Expr], several: type[exp.Expr] | None
) -> tuple[exp.Expr, list[exp.Expr]] | None:
    """(thing, the texts or whole numbers that it is compared with); None for other terms."""
    if isinstance(term, single):
        for thing, value in ((term.this, term.expression), (term.expression, term.this)):
            if _constant(value) and not _constant(thing):
                return thing.unnest(), [value]
    if several is not None and isinstance(term, several) and term.expressions:
        values = term.expressions
        alike = len({value.is_string for value in values}) == 1
        if all(map(_constant, values)) and alike and not term.args.get("query"):
            return term.this.unnest(), values
    return None


def _constant(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and (node.is_string or node.is_int)


def _under(aggregate: exp.Expr, condition: exp.Expr) -> exp.Expr:
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition.copy()))


def _counts(aggregate: exp.Expr, condition: exp.Expr, window: exp.Window | None) -> exp.Expr:
    """How many meet the condition; of a mean, among how many."""
    made = [_under(exp.Count(this=exp.Star(), big_int=True), condition)]
    if isinstance(aggregate, exp.Avg):
        made.append(exp.Count(this=exp.Star(), big_int=True))
    if window is not None:
        made = [_over(window, one) for one in made]
    return made[0] if len(made) == 1 else exp.Div(this=made[0], expression=made[1])


def _over(window: exp.Window, function: exp.Expr) -> exp.Expr:
    copied = window.copy()
    copied.set("this", function)
    return copied


def _ones(node: exp.Expr) -> exp.Expr | None:
    """The condition under which a SUM or AVG adds one, and nothing otherwise."""
    if not isinstance(node, exp.Sum | exp.Avg):
        return None
    found = _conditional(node.this)
    if found is None:
        return None
    numbers = [found[1], found[2]]
    if not all(isinstance(number, exp.Literal) and not number.is_string for number in numbers):
        return None
    whole = isinstance(node, exp.Avg) or all(number.is_int for number in numbers if number)
    values = [float(number.name) for number in numbers if number]
    return found[0] if whole and values == [1.0, 0.0] else None


def _conditional(
    node: exp.Expr,
) -> tuple[exp.Expr, exp.Expr, exp.Expr | None] | None:
    """(condition, value, other value) of a CASE with one WHEN, or of an IF."""
    bare = node.unnest()
    if isinstance(bare, exp.Case):
        branches, other = bare.args.get("ifs") or [], bare.args.get("default")
        if len(branches) != 1 or bare.args.get("this") is not None:
            return None
        bare = branches[0]
    elif isinstance(bare, exp.If):
        other = bare.args.get("false")
    else:
        return None
    return bare.this.unnest(), bare.args["true"].unnest(), other.unnest() if other else None


def _is_null(node: exp.Expr | None) -> bool:
    return node is None or isinstance(node, exp.Null)


def _holds_its_row(window: exp.Window) -> bool:
    spec = window.args.get("spec")
    if spec is None:
        return True
    if spec.args.get("exclude"):
        return False
    start = (spec.args.get("start"), spec.args.get("start_side"))
    end = (spec.args.get("end"), spec.args.get("end_side"))
    return _reaches(*start, _BEHIND) and (end[0] is None or _reaches(*end, _AHEAD))


def _reaches(bound: object, side: object, way: tuple[str, ...]) -> bool:
    """Whether a bound of a frame lies at the row or on that side of it; never a computed one."""
    if isinstance(bound, str):
        return bound.upper() == "CURRENT ROW" or str(side).upper() in way
    fixed = isinstance(bound, exp.Literal | exp.Interval) and "-" not in print_tree(bound)
    return fixed and str(side).upper() in way
