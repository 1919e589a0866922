"""Builds blocks from a parsed query: CTEs put in place, names resolved, stars spread out."""

from collections.abc import Iterable, Mapping
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
    simplify,
)
from registry.core.sql_names import Scope, holds
from registry.core.sql_text import has_aggregate, is_volatile, terms, words

_MOST_SOURCES = 300
_UNION_PARTS = words("this expression distinct order limit offset with_")
_SELECT_PARTS = words(
    "expressions from_ joins where group having qualify windows distinct order limit offset with_"
)
FIRST_OF = "FIRST_OF"
_NOT_FOLLOWED = (
    *(exp.Pivot, exp.Lateral, exp.TableSample, exp.Explode, exp.Unnest, exp.Columns),
    *(exp.Placeholder, exp.Parameter, exp.PositionalColumn),
)


class _Query:
    """The query of a CTE with the CTEs that it sees itself."""

    def __init__(self, tree: exp.Query, names: list[str], seen: Mapping[str, "_Query"]) -> None:
        self.tree, self.names, self.seen = tree, names, seen


Ctes = Mapping[str, _Query]


def build(query: exp.Query) -> Block | Union:
    """The query as blocks. Raises `Unsupported`; `query` is not changed."""
    if is_volatile(query):
        raise Unsupported("a function in it answers differently each time")
    found = next(iter(query.find_all(*_NOT_FOLLOWED)), None)
    if found is not None:
        raise Unsupported(f"{type(found).__name__.lower()} is not followed")
    return _Builder().query(query.copy(), {})


class _Builder:
    """Numbers the sources of one query as it meets them."""

    def __init__(self) -> None:
        self._numbers = count()

    def query(self, tree: exp.Expr, ctes: Ctes) -> Block | Union:
        """The blocks of one query, which may stand in parentheses."""
        while isinstance(tree, exp.Subquery | exp.Paren):
            _refuse_others(tree, {"this", "alias"})
            tree = tree.this
        if isinstance(tree, exp.Select):
            return self._select(tree, _with_ctes(tree, ctes))
        if isinstance(tree, exp.SetOperation):
            return self._union(tree, _with_ctes(tree, ctes))
        raise Unsupported(f"{type(tree).__name__.lower()} is not followed")

    def _union(self, tree: exp.SetOperation, ctes: Ctes) -> Union:
        _refuse_others(tree, _UNION_PARTS)
        left = self.query(tree.this, ctes)
        right = self.query(tree.expression, ctes)
        made = Union(left, right, type(tree).__name__.upper(), not tree.args.get("distinct"))
        names = made.names
        if tree.args.get("order"):
            made.order = [_union_order(node, names) for node in tree.args["order"].expressions]
        made.limit, made.offset = tree.args.get("limit"), tree.args.get("offset")
        return made

    def _select(self, tree: exp.Select, ctes: Ctes) -> Block:
        _refuse_others(tree, _SELECT_PARTS)
        scope, block = Scope(), Block([])
        self._sources(tree, block, scope, ctes)
        resolve = _Resolver(self, scope, ctes, _named_windows(tree))
        _outputs(tree, block, scope, resolve)
        _clauses(tree, block, resolve)
        return simplify(block)

    def _sources(self, tree: exp.Select, block: Block, scope: Scope, ctes: Ctes) -> None:
        start = tree.args.get("from_")
        if start is not None:
            self._add(block, scope, ctes, start.this, "")
        for join in tree.args.get("joins") or ():
            self._join(join, block, scope, ctes)

    def _join(self, join: exp.Join, block: Block, scope: Scope, ctes: Ctes) -> None:
        words = [join.method, join.side, join.kind]
        if "NATURAL" in words:
            raise Unsupported("a natural join depends on every column")
        if "POSITIONAL" in words:
            raise Unsupported("a positional join depends on the order of rows")
        before = list(scope.items.values())
        how = " ".join([*(w.upper() for w in words if w), "JOIN"]).replace("LEFT OUTER", "LEFT")
        how = {"INNER JOIN": "JOIN", "JOIN": "JOIN"}.get(how, how)
        if how == "JOIN" and not join.args.get("on") and not join.args.get("using"):
            how = "CROSS JOIN"
        item = self._add(block, scope, ctes, join.this, how)
        for name in (node.name for node in join.args.get("using") or ()):
            item.on.append(_equated(name, before, item, scope, how))
        if join.args.get("on"):
            condition = _Resolver(self, scope, ctes, {})(join.args["on"])
            item.on += terms(condition)

    def _add(self, block: Block, scope: Scope, ctes: Ctes, node: exp.Expr, how: str) -> Item:
        if node.args.get("joins"):
            raise Unsupported("joins in parentheses are not followed")
        name = node.alias_or_name or f"#{len(scope.items)}"
        if name in scope.items:
            raise Unsupported(f"two sources are called {name}")
        item = Item(self._fresh(), self._relation(node, ctes), how)
        scope.items[name] = item
        block.items.append(item)
        return item

    def _fresh(self) -> str:
        number = next(self._numbers)
        if number >= _MOST_SOURCES:
            raise Unsupported("it reads from too many sources")
        return f"#{number}"

    def _relation(self, node: exp.Expr, ctes: Ctes) -> Base | Block | Union:
        names = node.alias_column_names
        if isinstance(node, exp.Subquery):
            return _renamed(self.query(node, ctes), names)
        if not isinstance(node, exp.Table):
            raise Unsupported(f"{type(node).__name__.lower()} is not followed as a source")
        if isinstance(node.this, exp.Identifier) and not node.db and node.name in ctes:
            cte = ctes[node.name]
            return _renamed(_renamed(self.query(cte.tree.copy(), cte.seen), cte.names), names)
        others = {k for k, v in node.args.items() if v} - {"this", "db", "catalog", "alias"}
        if names or others or node.find(exp.Column):
            raise Unsupported("a table is read in a way that is not followed")
        bare = node.copy()
        bare.set("alias", None)
        return Base(bare)

    def nested(self, tree: exp.Expr, scope: Scope, ctes: Ctes) -> exp.Expr:
        """A sub-query inside an expression: it stays a tree, its names resolved from inside out."""
        if not isinstance(tree, exp.Select) or tree.args.get("with_"):
            raise Unsupported("a sub-query in an expression is not a plain SELECT")
        _refuse_others(tree, _SELECT_PARTS)
        inner, block = Scope(scope), Block([])
        for part in (tree.args.get("from_"), *(tree.args.get("joins") or ())):
            if part is None:
                continue
            source = part.this
            if not isinstance(source, exp.Table) or source.name in ctes or part.args.get("using"):
                raise Unsupported("a sub-query in an expression reads from more than tables")
            item = self._add(block, inner, {}, source.copy(), "")
            source.set("alias", exp.TableAlias(this=exp.to_identifier(item.alias)))
        _refuse_bare_names(tree, inner, scope)
        resolve = _Resolver(self, inner, ctes, _named_windows(tree))
        tree.set("windows", None)
        for key, value in list(tree.args.items()):
            if key in {"from_", "limit", "offset", "with_"} or not value:
                continue
            if isinstance(value, list):
                tree.set(key, [resolve(node) for node in value])
            elif isinstance(value, exp.Expr):
                tree.set(key, resolve(value))
        return tree


class _Resolver:
    """Resolves every column of an expression in one scope; gives a new tree."""

    def __init__(
        self, builder: _Builder, scope: Scope, ctes: Ctes, windows: dict[str, exp.Window]
    ) -> None:
        self._builder, self._scope, self._ctes, self._windows = builder, scope, ctes, windows

    def __call__(self, node: exp.Expr) -> exp.Expr:
        return self._walk(node.copy())

    def _walk(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            if isinstance(node.this, exp.Star):
                return exp.Star()
            return self._scope.resolve(node)
        if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
            return self._builder.nested(node, self._scope, self._ctes)
        if isinstance(node, exp.Window) and node.alias:
            node = self._spelled_out(node)
        for child in list(node.iter_expressions()):
            walked = self._walk(child)
            if walked is not child:
                child.replace(walked)
        return node

    def _spelled_out(self, node: exp.Window) -> exp.Window:
        known = self._windows.get(node.alias)
        if known is None or node.args.get("partition_by") or node.args.get("order"):
            raise Unsupported("a window is built upon another one")
        made = known.copy()
        made.set("this", node.this)
        made.set("alias", None)
        made.set("over", "OVER")
        return made


def _union_order(node: exp.Expr, names: list[str]) -> exp.Expr:
    """An ORDER BY term of a set operation: a position or an output name."""
    term = node.this if isinstance(node, exp.Ordered) else node
    if isinstance(term, exp.Literal) and term.is_int:
        term.replace(column_of("", _at(names, term)))
    elif not isinstance(term, exp.Column) or term.name not in names:
        raise Unsupported("a set operation is ordered by an expression")
    return node.copy()


def _with_ctes(tree: exp.Query, ctes: Ctes) -> Ctes:
    clause = tree.args.get("with_")
    if clause is None:
        return ctes
    if clause.args.get("recursive"):
        raise Unsupported("a recursive CTE is not followed")
    seen = dict(ctes)
    for cte in clause.expressions:
        seen[cte.alias] = _Query(cte.this, cte.alias_column_names, dict(seen))
    return seen


def _refuse_others(tree: exp.Expr, known: Iterable[str]) -> None:
    others = sorted(key for key, value in tree.args.items() if value and key not in known)
    if others:
        raise Unsupported(f"{', '.join(others)} is not followed")


def _refuse_bare_names(tree: exp.Select, inner: Scope, outer: Scope) -> None:
    """A bare name in a sub-query over tables could be the outer query's: only sure ones will do."""
    for column in tree.find_all(exp.Column):
        if not column.table and not isinstance(column.this, exp.Star):
            scope: Scope | None = outer
            while scope is not None:
                for item in scope.items.values():
                    if (
                        not isinstance(item.relation, Base)
                        and holds(item.relation, column.name) is not False
                    ):
                        raise Unsupported(f"{column.name} in a sub-query names no table")
                scope = scope.around


def _named_windows(tree: exp.Select) -> dict[str, exp.Window]:
    return {window.name: window for window in tree.args.get("windows") or ()}


def _renamed(relation: Block | Union, names: list[str]) -> Block | Union:
    """Output names from a column list, `AS t(a, b)`."""
    if not names:
        return relation
    if isinstance(relation, Union):
        return (
            Union(
                _renamed(relation.left, names),
                relation.right,
                relation.kind,
                relation.keeps_doubles,
            )
            if not relation.order
            else _refuse_renaming()
        )
    if relation.stars or len(names) > len(relation.outputs):
        raise Unsupported("a column list renames a star")
    kept = list(relation.outputs)[len(names) :]
    values = list(relation.outputs.values())
    relation.outputs = dict(zip([*names, *kept], values, strict=True))
    return relation


def _refuse_renaming() -> Union:
    raise Unsupported("a column list renames an ordered set operation")


def _equated(name: str, before: list[Item], item: Item, scope: Scope, how: str) -> exp.Expr:
    """The condition that JOIN ... USING (name) stands for."""
    right = column_of(item.alias, name)
    if name in scope.merged:
        left = scope.merged[name].copy()
    else:
        sure = [i for i in before if holds(i.relation, name)]
        perhaps = [i for i in before if holds(i.relation, name) is None]
        candidates = sure or perhaps
        if len(candidates) != 1:
            raise Unsupported(f"USING ({name}) could mean several tables")
        left = column_of(candidates[0].alias, name)
    if "FULL" in how:
        scope.merged[name] = exp.Coalesce(this=left.copy(), expressions=[right.copy()])
    else:
        scope.merged[name] = right.copy() if "RIGHT" in how else left.copy()
    return exp.EQ(this=left, expression=right)


def _outputs(tree: exp.Select, block: Block, scope: Scope, resolve: _Resolver) -> None:
    named: dict[str, bool] = {}
    for node in tree.expressions:
        if _is_star(node):
            _spread_star(node, block, scope, resolve)
            continue
        name = _put(block, _output_name(node), resolve(node.unalias()))
        named[name] = bool(block.stars)
        if isinstance(node, exp.Alias):
            scope.aliases[name] = block.outputs[name]
    if block.stars:
        for name, after_star in named.items():
            block.outputs[name] = _beside_star(block, name, after_star)


def _beside_star(block: Block, name: str, after_star: bool) -> exp.Expr:
    """A named output beside a star that may hold the name as well: whichever comes first wins."""
    made = block.outputs[name]
    passed = column_of(block.stars[0] if len(block.stars) == 1 else "", name)
    if name in block.hidden or made == passed:
        return made
    pair = [passed, made] if after_star else [made, passed]
    return exp.Anonymous(this=FIRST_OF, expressions=[node.copy() for node in pair])


def _is_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) or (
        isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
    )


def _spread_star(node: exp.Expr, block: Block, scope: Scope, resolve: _Resolver) -> None:
    star = node.this if isinstance(node, exp.Column) else node
    others = {k for k, v in star.args.items() if v} - {"except_", "replace"}
    source = node.table if isinstance(node, exp.Column) else ""
    if others or (source and source not in scope.items):
        raise Unsupported("a star with conditions is not followed")
    hidden = {n.name for n in star.args.get("except_") or ()}
    replaced = {n.alias: resolve(n.this) for n in star.args.get("replace") or ()}
    items = [scope.items[source]] if source else list(scope.items.values())
    if len(block.stars) and any(not isinstance(i.relation, Union) for i in items):
        raise Unsupported("two stars in one select")
    for item in items:
        _spread_item(item, block, scope, hidden | set(replaced))
    for name, made in replaced.items():
        _put(block, name, made)
    block.hidden |= hidden


def _spread_item(item: Item, block: Block, scope: Scope, hidden: set[str]) -> None:
    relation = item.relation
    if isinstance(relation, Base):
        block.stars.append(item.alias)
        return
    names = relation.names if isinstance(relation, Union) else list(relation.outputs)
    for name in names:
        if name in hidden or (name in scope.merged and name in block.outputs):
            continue
        _put(block, name, scope.merged.get(name, column_of(item.alias, name)).copy())
    if isinstance(relation, Block) and relation.stars:
        block.stars.append(item.alias)
        block.hidden |= relation.hidden


def _put(block: Block, name: str, node: exp.Expr) -> str:
    """Add an output; of two columns of one name the first is meant, as DuckDB has it."""
    if not name or name in block.outputs:
        name = f"#{len(block.outputs)}"
    block.outputs[name] = node
    return name


def _output_name(node: exp.Expr) -> str:
    return node.alias_or_name if isinstance(node, exp.Alias | exp.Column) else ""


def _clauses(tree: exp.Select, block: Block, resolve: _Resolver) -> None:
    args = tree.args
    if args.get("where"):
        block.where = terms(resolve(args["where"].this))
    if args.get("group"):
        block.group = _group_keys(args["group"], block, resolve)
    if args.get("having"):
        block.having = terms(resolve(args["having"].this))
    if args.get("qualify"):
        block.qualify = terms(resolve(args["qualify"].this))
    if args.get("order"):
        block.order = [_order_term(node, block, resolve) for node in args["order"].expressions]
    if args.get("distinct"):
        on = args["distinct"].args.get("on")
        block.distinct = [_positional(n, block, resolve) for n in on.expressions] if on else "all"
    block.group = _telling(block.group)
    block.limit, block.offset = args.get("limit"), args.get("offset")
    block.aggregated = bool(block.group or block.having) or aggregates(block)


def _group_keys(group: exp.Group, block: Block, resolve: _Resolver) -> list[exp.Expr]:
    if group.args.get("all"):
        if block.stars:
            raise Unsupported("GROUP BY ALL stands beside a star")
        return [node.copy() for node in block.outputs.values() if not has_aggregate(node)]
    if any(isinstance(n, exp.Rollup | exp.Cube | exp.GroupingSets) for n in group.expressions):
        raise Unsupported("grouping sets are not followed")
    return [_positional(node, block, resolve) for node in group.expressions]


def _telling(keys: list[exp.Expr]) -> list[exp.Expr]:
    """Group keys without constants, which split nothing; unless there is nothing else."""
    return [key for key in keys if key.find(exp.Column, exp.Query)] or keys


def _positional(node: exp.Expr, block: Block, resolve: _Resolver) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_int:
        if block.stars:
            raise Unsupported("a position stands beside a star")
        return block.outputs[_at(list(block.outputs), node)].copy()
    return resolve(node)


def _order_term(node: exp.Expr, block: Block, resolve: _Resolver) -> exp.Expr:
    """ORDER BY looks at output names first."""
    if isinstance(node, exp.Ordered):
        made = node.copy()
        made.set("this", _order_term(node.this, block, resolve))
        return made
    bare = isinstance(node, exp.Column) and not node.table
    if bare and node.name in block.outputs:
        return block.outputs[node.name].copy()
    if isinstance(node, exp.Var):
        raise Unsupported("ORDER BY ALL is not followed")
    return _positional(node, block, resolve)


def _at(names: list[str], position: exp.Literal) -> str:
    number = int(position.name)
    if not 1 <= number <= len(names):
        raise Unsupported(f"position {number} is not among the columns")
    return names[number - 1]
