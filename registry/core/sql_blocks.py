"""A query as blocks: resolved SELECTs without CTEs, aliases of authors or needless nesting.

A block keeps its sources under internal aliases; every column in its expressions names one of them.
What cannot be followed soundly raises `Unsupported`: the caller then takes the query as a whole.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from registry.core.sql_text import has_aggregate, has_window

Expressions = dict[str, exp.Expr]


class Unsupported(Exception):
    """The query uses something whose columns are not followed; says what."""


@dataclass
class Base:
    """A warehouse table or table function, whose columns are not known here."""

    node: exp.Expr

    def column(self, alias: str, name: str) -> exp.Expr:
        return column_of(alias, name)


@dataclass
class Item:
    """One source of a block and how it is joined to those before it. `how` is "" for the first."""

    alias: str
    relation: "Base | Block | Union"
    how: str = ""
    on: list[exp.Expr] = field(default_factory=list)

    @property
    def keeps_each_row_once(self) -> bool:
        """Whether joining it can neither drop nor double rows, whatever it holds."""
        if self.how in {"ASOF LEFT JOIN", "ASOF LEFT OUTER JOIN"}:
            return True
        return self.how in {"LEFT JOIN", "LEFT OUTER JOIN"} and self._matches_at_most_once()

    def _matches_at_most_once(self) -> bool:
        """A grouped block joined by equality on every one of its groups has one row to give."""
        block = self.relation
        if not isinstance(block, Block) or not block.group:
            return False
        named = {
            side.name
            for term in self.on
            if isinstance(term, exp.EQ | exp.NullSafeEQ)
            for side, other in ((term.this, term.expression), (term.expression, term.this))
            if isinstance(side, exp.Column)
            and side.table == self.alias
            and self.alias not in {c.table for c in other.find_all(exp.Column)}
        }
        equated = [block.outputs[name] for name in named if name in block.outputs]
        return all(any(key == output for output in equated) for key in block.group)


@dataclass
class Block:
    """One SELECT. `stars` are the internal aliases whose columns pass through by name.

    `distinct` is None, "all" or the list of DISTINCT ON expressions.
    """

    items: list[Item]
    outputs: Expressions = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    hidden: frozenset[str] = frozenset()
    where: list[exp.Expr] = field(default_factory=list)
    group: list[exp.Expr] = field(default_factory=list)
    aggregated: bool = False
    having: list[exp.Expr] = field(default_factory=list)
    qualify: list[exp.Expr] = field(default_factory=list)
    distinct: "list[exp.Expr] | str | None" = None
    order: list[exp.Expr] = field(default_factory=list)
    limit: exp.Expr | None = None
    offset: exp.Expr | None = None

    @property
    def has_windows(self) -> bool:
        return any(has_window(node) for node in [*self.outputs.values(), *self.qualify])

    @property
    def ends(self) -> bool:
        """Whether rows are cut, ordered or made distinct after all else."""
        return bool(self.distinct or self.order or self.limit or self.offset)

    @property
    def is_plain(self) -> bool:
        """Projection, joins and WHERE, nothing else."""
        grouped = self.group or self.aggregated or self.having
        return not (grouped or self.qualify or self.ends or self.has_windows)

    def output(self, name: str) -> exp.Expr | None:
        """The expression of an output column; a passed-through one when there is a single star."""
        if name in self.outputs:
            return self.outputs[name].copy()
        if name in self.hidden or len(self.stars) != 1:
            return None
        return column_of(self.stars[0], name)

    def expressions(self) -> Iterator[exp.Expr]:
        """Every expression of its own, those of its sources left aside."""
        yield from self.outputs.values()
        for item in self.items:
            yield from item.on
        yield from (*self.where, *self.group, *self.having, *self.qualify, *self.order)
        if isinstance(self.distinct, list):
            yield from self.distinct

    def replace_columns(self, found: Mapping[tuple[str, str], exp.Expr]) -> None:
        """Put another expression for each column (alias, name) wherever it is used."""
        for name, node in self.outputs.items():
            self.outputs[name] = substitute(node, found)
        for item in self.items:
            item.on = [substitute(node, found) for node in item.on]
        for part in (self.where, self.group, self.having, self.qualify, self.order):
            part[:] = [substitute(node, found) for node in part]
        if isinstance(self.distinct, list):
            self.distinct = [substitute(node, found) for node in self.distinct]

    def copied(self, outputs: Expressions) -> "Block":
        """A copy with other outputs whose parts can be changed without changing this one's."""
        parts = ("where", "group", "having", "qualify", "order")
        made = replace(self, items=[replace(i, on=list(i.on)) for i in self.items])
        for name in parts:
            setattr(made, name, list(getattr(self, name)))
        made.outputs, made.stars, made.hidden = outputs, [], frozenset()
        return made

    def columns_of(self, alias: str) -> list[str]:
        """The names of that source's columns that its expressions use, each once."""
        used = (c.name for e in self.expressions() for c in e.find_all(exp.Column))
        tables = (c.table for e in self.expressions() for c in e.find_all(exp.Column))
        return list(dict.fromkeys(n for n, t in zip(used, tables, strict=True) if t == alias))


@dataclass
class Union:
    """A set operation. Columns are matched by position and named by the left side."""

    left: "Block | Union"
    right: "Block | Union"
    kind: str
    keeps_doubles: bool
    order: list[exp.Expr] = field(default_factory=list)
    limit: exp.Expr | None = None
    offset: exp.Expr | None = None

    @property
    def names(self) -> list[str]:
        return output_names(self.left)

    @property
    def stacks(self) -> bool:
        """Whether it is UNION ALL, which compares no rows."""
        return self.kind == "UNION" and self.keeps_doubles


def output_names(relation: "Block | Union") -> list[str]:
    """Its output columns in order; raises `Unsupported` when a star hides some."""
    if isinstance(relation, Union):
        return relation.names
    if relation.stars:
        raise Unsupported("a star over a table stands where every column counts")
    return list(relation.outputs)


def column_of(alias: str, name: str) -> exp.Column:
    """A column of the source with that internal alias; "" leaves it without one."""
    quoted = not name.replace("_", "a").isalnum() or name[:1].isdigit()
    identifier = exp.to_identifier(name, quoted=quoted)
    return exp.Column(this=identifier, table=exp.to_identifier(alias) if alias else None)


def substitute(node: exp.Expr, found: Mapping[tuple[str, str], exp.Expr]) -> exp.Expr:
    """A copy of the expression with columns replaced; operators are put in parentheses."""

    def change(part: exp.Expr) -> exp.Expr:
        if not isinstance(part, exp.Column) or (part.table, part.name) not in found:
            return part
        new = found[part.table, part.name].copy()
        return new if isinstance(new, exp.Column) or part.parent is None else exp.Paren(this=new)

    return node.copy().transform(change, copy=False)


def simplify(block: Block) -> Block:
    """Merge sources that are plain SELECTs, and take over a lone source under a plain SELECT."""
    for item in list(block.items):
        inner = item.relation
        if isinstance(inner, Block) and _may_merge(block, item, inner):
            _merge(block, item, inner)
    return _take_over(block)


def _may_merge(block: Block, item: Item, inner: Block) -> bool:
    first = item is block.items[0]
    if (
        not inner.items
        or not inner.is_plain
        or (len(inner.items) > 1 and not first)
        or len(inner.stars) > 1
    ):
        return False
    bare = not inner.where and all(isinstance(o, exp.Column) for o in inner.outputs.values())
    outer_joined = any("RIGHT" in other.how or "FULL" in other.how for other in block.items)
    inner_position = first or item.how in {"JOIN", "INNER JOIN", "CROSS JOIN", ","}
    return bare or (inner_position and not outer_joined)


def _merge(block: Block, item: Item, inner: Block) -> None:
    place = block.items.index(item)
    head = inner.items[0]
    merged = [Item(head.alias, head.relation, item.how, item.on), *inner.items[1:]]
    block.items[place : place + 1] = merged
    block.replace_columns(_replacements(block, item.alias, inner))
    block.where += [node.copy() for node in inner.where]


def _replacements(block: Block, alias: str, inner: Block) -> dict[tuple[str, str], exp.Expr]:
    found = {}
    for name in block.columns_of(alias):
        output = inner.output(name)
        if output is None:
            raise Unsupported(f"column {name} is not found in what it is read from")
        found[alias, name] = output
    if alias in block.stars:
        _pass_star(block, alias, inner)
    return found


def _pass_star(block: Block, alias: str, inner: Block) -> None:
    """`SELECT *` over a source that is itself a star: its named columns come out by name."""
    place = block.stars.index(alias)
    block.stars[place : place + 1] = inner.stars
    passed = {n: node.copy() for n, node in inner.outputs.items() if n not in block.hidden}
    if passed.keys() & block.outputs.keys():
        raise Unsupported("a star gives a column that is also selected by name")
    block.outputs.update(passed)
    block.hidden |= inner.hidden


def _take_over(block: Block) -> Block:
    """A plain SELECT over one block is that block with other outputs and more conditions."""
    inner = block.items[0].relation if len(block.items) == 1 else None
    if not isinstance(inner, Block) or not block.is_plain or inner.distinct == "all":
        return block
    if (inner.ends and block.where) or has_nested(block):
        return block
    block.replace_columns(_replacements(block, block.items[0].alias, inner))
    target = _condition_list(inner)
    target += block.where
    inner.outputs, inner.stars, inner.hidden = block.outputs, block.stars, block.hidden
    return inner


def _condition_list(inner: Block) -> list[exp.Expr]:
    """Where a condition on the finished rows of the block belongs."""
    if inner.qualify or inner.has_windows:
        return inner.qualify
    return inner.having if inner.aggregated or inner.group else inner.where


def has_nested(block: Block) -> bool:
    """Whether an expression of the block holds a sub-query."""
    return any(node.find(exp.Query) is not None for node in block.expressions())


def aggregates(block: Block) -> bool:
    """Whether any output or HAVING condition calls an aggregate."""
    return any(has_aggregate(node) for node in [*block.outputs.values(), *block.having])
