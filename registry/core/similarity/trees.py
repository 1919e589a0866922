"""Definitions as plain trees, to be hashed and compared piece by piece. Pure.

Made of canonical SQL or of evened Python (`registry.core.code_evened`). Terms of a chain such as
AND stand side by side under one node, and a span of time is one leaf, so that what a reviewer would
call one change is one change of the tree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from registry.core.sql_text import DIALECT, deep_queries, print_tree

MAX_NODES = 4000
# Side by side for comparing alone: the definition's own text keeps the order of additions.
_CHAINS = (exp.And, exp.Or, exp.Add, exp.Mul, exp.DPipe)
FILTER, JOIN, GROUP = "filter", "join", "group"
_LEAVES = (exp.Interval, exp.Literal, exp.Column, exp.DataType, exp.Boolean, exp.Null, exp.Star)


@dataclass(frozen=True)
class Tree:
    """A node: what it is, where it stands in its parent, what was made into it, what is below."""

    label: str
    slot: str = ""
    source: exp.Expr | str = field(default="", compare=False, repr=False)
    children: "tuple[Tree, ...]" = ()

    @property
    def text(self) -> str:
        """How it reads. Printed when asked for: most nodes never are."""
        return self.source if isinstance(self.source, str) else print_tree(self.source)

    @cached_property
    def size(self) -> int:
        """How many nodes it has, itself among them."""
        return 1 + sum(child.size for child in self.children)

    @cached_property
    def mark(self) -> bytes:
        """Equal for equal trees, wherever they stand."""
        parts = "\0".join([self.label, *(child.mark.hex() for child in self.children)])
        return blake2b(parts.encode(), digest_size=12).digest()

    def nodes(self) -> Iterator["Tree"]:
        """Every node, itself first."""
        yield self
        for child in self.children:
            yield from child.nodes()


@deep_queries()
def sql_tree(text: str) -> Tree | None:
    """The tree of a canonical expression; None where it does not parse or is too large."""
    try:
        parsed = sqlglot.parse_one(text.split(" -- whole")[0], dialect=DIALECT)
        made = _of_sql(parsed, "")
    except (SqlglotError, RecursionError, ValueError):
        return None
    return made if made.size <= MAX_NODES else None


def _of_sql(node: exp.Expr, slot: str) -> Tree:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, _LEAVES):
        said = print_tree(node)
        return Tree(f"{type(node).__name__.lower()} {said.lower()}", slot, said)
    if isinstance(node, _CHAINS):
        return _side_by_side(node, type(node), slot)
    if isinstance(node, exp.Where | exp.Having | exp.Qualify):
        return _side_by_side(node.this, exp.And, FILTER, f"{_label(node)} ")
    children = tuple(
        _of_sql(child, _slot(key, slot, node)) for key, child in _children(node) if child.args
    )
    return Tree(_label(node), slot, node, children)


def _side_by_side(node: exp.Expr, kind: type[exp.Expr], slot: str, before: str = "") -> Tree:
    """The terms of a chain such as AND, or the one condition that stands where several may."""
    below = tuple(_of_sql(term, slot) for term in _terms(node, kind))
    return Tree(f"{before}{kind.__name__.lower()}", slot, node, below)


def _terms(node: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    waiting = [node]
    while waiting:
        term = waiting.pop().unnest()
        if isinstance(term, kind):
            waiting += [term.args["expression"], term.this]
        else:
            found.append(term)
    return found


def _children(node: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    for key, value in node.args.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, exp.Expr) and not isinstance(item, exp.Identifier):
                yield key, item


def _slot(key: str, slot: str, node: exp.Expr) -> str:
    """Where a child stands: what it is for, as its parents are."""
    if isinstance(node, exp.Join) and key == "on":
        return JOIN
    if key in {"group", "partition_by"}:
        return GROUP
    return slot


def _label(node: exp.Expr) -> str:
    """The kind of node, with the words that it holds itself: a side of a join, a table's name."""
    words = [
        f"{key}={value.name if isinstance(value, exp.Identifier) else value}"
        for key, value in sorted(node.args.items())
        if isinstance(value, str | bool | exp.Identifier) and value and key != "alias"
    ]
    kind = node.name if isinstance(node, exp.Anonymous) else type(node).__name__
    return " ".join([kind.lower(), *words])


def code_tree(evened: Any) -> Tree:
    """The tree of evened Python, `registry.core.code_evened.evened_code`."""
    if not isinstance(evened, list):
        return Tree(str(evened), "", str(evened))
    head = evened[0] if evened and isinstance(evened[0], str) else "list"
    rest = evened[1:] if evened and isinstance(evened[0], str) else evened
    return Tree(head, "", head, tuple(code_tree(item) for item in rest))
