"""Blocks to canonical SQL: only what the asked columns depend on, under names of our own.

Sources are named after their table, or `r1`, `r2`; columns of inner queries `c1`, `c2` in the
order of their text. Nothing that an author calls something inside a query reaches the text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from sqlglot import exp

from registry.core.sql_blocks import (
    Base,
    Block,
    Item,
    Union,
    Unsupported,
    aggregates,
    column_of,
    output_names,
    simplify,
    substitute,
)
from registry.core.sql_canonical import canonical, joined, sorted_unique
from registry.core.sql_counts import counted_in_groups
from registry.core.sql_text import print_tree, terms


def emit(relation: Block | Union, columns: Sequence[str]) -> exp.Expr:
    """The canonical SELECT of these output columns, in this order, without names of their own.

    Raises `Unsupported` when a column is not among the outputs. The blocks are not changed.
    """
    if isinstance(relation, Union) or relation.distinct == "all":
        inner = relation if _order_decides(relation) else replace(relation, order=[])
        outer = Block([Item("#root", inner)])
        outer.outputs = {name: column_of("#root", name) for name in columns}
        return _Emitter().select(_pruned(outer, columns))
    pruned = _pruned(relation, columns)
    return _Emitter().select(pruned if _order_decides(relation) else replace(pruned, order=[]))


def _order_decides(relation: Block | Union) -> bool:
    """Whether ORDER BY chooses rows; otherwise it says nothing, since rows have no order."""
    cut = relation.limit is not None or relation.offset is not None
    return cut or (isinstance(relation, Block) and isinstance(relation.distinct, list))


def _pruned(block: Block, names: Sequence[str]) -> Block:
    """A copy that keeps the named outputs and what they and the rows depend on."""
    wanted = list(block.outputs) if block.distinct == "all" else list(names)
    if block.distinct == "all":
        output_names(block)
    outputs = {}
    for name in wanted:
        node = block.output(name)
        if node is None:
            raise Unsupported(f"the query has no column {name}")
        outputs[name] = node
    kept = block.copied(outputs)
    _drop_unused_joins(kept)
    kept.items = [_pruned_item(kept, item) for item in kept.items]
    # Conditions settle first: a block that no longer has a window may merge with what it reads.
    return _one_row(_settled(simplify(_settled(kept))))


def _settled(block: Block) -> Block:
    """Conditions where they belong now that some columns are gone."""
    if not block.qualify or block.has_windows:
        return block
    if block.aggregated:
        return replace(block, qualify=[], having=[*block.having, *block.qualify])
    return replace(block, qualify=[], where=[*block.where, *block.qualify])


def _one_row(block: Block) -> Block:
    """An aggregate without groups gives its one row though none of its columns is left."""
    if block.aggregated and not block.group and not block.having and not aggregates(block):
        block = replace(block, having=[exp.true()])
    return block


def _drop_unused_joins(block: Block) -> None:
    """Leave out joins that give no wanted column and can neither drop nor double a row."""
    for item in reversed(block.items[1:]):
        others = replace(block, items=[i for i in block.items if i is not item])
        bare = any(c.table == "" for e in block.expressions() for c in e.find_all(exp.Column))
        if item.keeps_each_row_once and not bare and not others.columns_of(item.alias):
            block.items.remove(item)


def _pruned_item(block: Block, item: Item) -> Item:
    if isinstance(item.relation, Base):
        return item
    return replace(item, relation=_pruned_relation(item.relation, block.columns_of(item.alias)))


def _pruned_relation(relation: Block | Union, names: Sequence[str]) -> Block | Union:
    if isinstance(relation, Block):
        return _pruned(relation, names)
    every = relation.names
    ordered = [c.name for node in relation.order for c in node.find_all(exp.Column)]
    # Of UNION ALL alone a column can go: every other set operation compares whole rows.
    kept = {*names, *ordered} if relation.stacks else set(every)
    places = [place for place, name in enumerate(every) if name in kept]
    left, right = (_at_places(side, places) for side in (relation.left, relation.right))
    return replace(relation, left=left, right=right)


def _at_places(relation: Block | Union, places: Sequence[int]) -> Block | Union:
    names = output_names(relation)
    return _pruned_relation(relation, [names[place] for place in places])


class _Emitter:
    """Gives final names to the sources of one statement as it prints them."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def select(self, block: Block) -> exp.Select:
        """The SELECT of a pruned block, outputs in their order and without names."""
        aliases = {item.alias: self._alias(item.relation) for item in block.items}
        columns: dict[str, Mapping[str, str]] = {}
        sources: list[exp.Expr] = []
        for item in block.items:
            source, names = self._source(item.relation)
            if source.name != aliases[item.alias] or source.args.get("db"):
                source.set("alias", exp.TableAlias(this=exp.to_identifier(aliases[item.alias])))
            sources.append(source)
            columns[item.alias] = names
        rename = _Renaming(aliases, columns, self._alias, _has_whole_groups(block))
        return _assemble(block, rename, sources)

    def _alias(self, relation: Base | Block | Union) -> str:
        """The table's own name, else `r`; with a number when it is taken."""
        table = relation.node.name if isinstance(relation, Base) else ""
        stem = table if table.isidentifier() else "r"
        name = stem if table == stem else "r1"
        numbers = count(2)
        while name in self._taken:
            name = f"{stem}_{next(numbers)}" if stem == table else f"r{next(numbers)}"
        self._taken.add(name)
        return name

    def _source(self, relation: Base | Block | Union) -> tuple[exp.Expr, Mapping[str, str]]:
        """The source as FROM takes it and, for an inner query, its columns' new names."""
        if isinstance(relation, Base):
            return relation.node.copy(), {}
        tree, leaves, names = self._relation(relation)
        made = _name_columns(leaves, names)
        return exp.Subquery(this=_cut(tree, relation, made)), made

    def _relation(self, relation: Block | Union) -> tuple[exp.Query, list[exp.Select], list[str]]:
        """An inner query, the SELECTs whose columns line up in it, and what these are called."""
        if isinstance(relation, Block):
            tree = self.select(relation)
            return tree, [tree], list(relation.outputs)
        left, left_leaves, names = self._relation(relation.left)
        right, right_leaves, _ = self._relation(relation.right)
        kinds = {"UNION": exp.Union, "INTERSECT": exp.Intersect, "EXCEPT": exp.Except}
        sides = [_bracketed(tree) for tree in (left, right)]
        made = kinds[relation.kind](
            this=sides[0], expression=sides[1], distinct=not relation.keeps_doubles
        )
        return made, [*left_leaves, *right_leaves], names


@dataclass(frozen=True)
class _Renaming:
    """From internal names to final ones: sources by `aliases`, their columns by `columns`."""

    aliases: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]
    fresh: Callable[[Base], str]
    grouped: bool = False

    def __call__(self, node: exp.Expr) -> exp.Expr:
        """The expression under final names, in canonical spelling."""
        inner = self._inner_aliases(node)
        found = {}
        for column in node.find_all(exp.Column):
            if column.table in self.aliases:
                names = self.columns[column.table]
                new = column_of(self.aliases[column.table], names.get(column.name, column.name))
                found[column.table, column.name] = new
            elif column.table in inner:
                new = column_of(inner[column.table], column.name)
                found[column.table, column.name] = new
        renamed = substitute(node, found)
        for table in renamed.find_all(exp.Table):
            name = inner[table.alias]
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
        return canonical(counted_in_groups(renamed) if self.grouped else renamed)

    def _inner_aliases(self, node: exp.Expr) -> dict[str, str]:
        return {t.alias: self.fresh(Base(t)) for t in node.find_all(exp.Table)}


def _has_whole_groups(block: Block) -> bool:
    """Whether it has groups, each of at least one row: a total of ROLLUP may be of none."""
    return bool(block.group) and not any(
        node.find(exp.Rollup, exp.Cube, exp.GroupingSets) for node in block.group
    )


def _assemble(block: Block, rename: _Renaming, sources: list[exp.Expr]) -> exp.Select:
    tree = exp.Select(expressions=[rename(node) for node in block.outputs.values()])
    if not tree.expressions:
        tree.set("expressions", [exp.Literal.number(1)])
    if sources:
        tree.set("from_", exp.From(this=sources[0]))
        joins = zip(block.items[1:], sources[1:], strict=True)
        tree.set("joins", [_join(item, source, rename) for item, source in joins])
    conditions = (("where", exp.Where), ("having", exp.Having), ("qualify", exp.Qualify))
    for key, kind in conditions:
        parts = [rename(node) for node in getattr(block, key)]
        if parts:
            tree.set(key, kind(this=joined(_flat(parts))))
    if block.group:
        tree.set("group", exp.Group(expressions=sorted_unique(rename(n) for n in block.group)))
    if block.order:
        tree.set("order", exp.Order(expressions=[rename(node) for node in block.order]))
    if block.distinct == "all":
        tree.set("distinct", exp.Distinct())
    elif isinstance(block.distinct, list):
        keys = exp.Tuple(expressions=[rename(node) for node in block.distinct])
        tree.set("distinct", exp.Distinct(on=keys))
    for key, value in (("limit", block.limit), ("offset", block.offset)):
        tree.set(key, value.copy() if value is not None else None)
    return tree


def _flat(parts: Sequence[exp.Expr]) -> list[exp.Expr]:
    return [term.copy() for part in parts for term in terms(part)]


def _join(item: Item, source: exp.Expr, rename: _Renaming) -> exp.Join:
    words = item.how.split()[:-1]
    made = exp.Join(this=source)
    for word in words:
        if word in {"ASOF", "POSITIONAL"}:
            made.set("method", word)
        else:
            made.set("side" if word in {"LEFT", "RIGHT", "FULL"} else "kind", word)
    if item.on:
        made.set("on", joined(_flat([rename(node) for node in item.on])))
    return made


def _bracketed(tree: exp.Query) -> exp.Expr:
    args = tree.args
    ends = any(args.get(key) for key in ("order", "limit", "offset"))
    return exp.Subquery(this=tree) if ends or isinstance(tree, exp.SetOperation) else tree


def _name_columns(leaves: Sequence[exp.Select], names: Sequence[str]) -> dict[str, str]:
    """Call the columns c1, c2, ... in the order of their text; equal ones become one."""
    if not names:
        return {}
    columns = zip(*(leaf.expressions for leaf in leaves), strict=True)
    texts = [tuple(print_tree(node) for node in column) for column in columns]
    called = {text: f"c{i}" for i, text in enumerate(sorted(set(texts)), 1)}
    firsts = sorted(range(len(texts)), key=lambda i: texts[i])
    kept = [i for n, i in enumerate(firsts) if n == 0 or texts[firsts[n - 1]] != texts[i]]
    for leaf in leaves:
        nodes = leaf.expressions
        leaf.set("expressions", [exp.alias_(nodes[i], called[texts[i]]) for i in kept])
    return {name: called[text] for name, text in zip(names, texts, strict=True)}


def _cut(tree: exp.Query, relation: Block | Union, names: Mapping[str, str]) -> exp.Query:
    """ORDER BY and LIMIT of a set operation, which speak of its columns."""
    if isinstance(relation, Union):
        found = {("", name): column_of("", new) for name, new in names.items()}
        if relation.order:
            terms_ = [substitute(node, found) for node in relation.order]
            tree.set("order", exp.Order(expressions=terms_))
        for key, value in (("limit", relation.limit), ("offset", relation.offset)):
            tree.set(key, value.copy() if value is not None else None)
    return tree
