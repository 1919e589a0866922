"""Which names of a piece of Python are local, and what number stands for each. Pure.

Two pieces of code that differ in the names of locals alone get the same numbers.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

_LOOKED_UP_BY_NAME = frozenset({"locals", "vars", "eval", "exec", "globals"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Frame:
    """One function, lambda or comprehension: its names, numbered as they are first met.

    `kept` are parameters whose names callers use as keywords: they keep them.
    """

    number: int
    names: frozenset[str]
    outside: frozenset[str]
    kept: frozenset[str]
    around: "Frame | None"
    numbers: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> tuple[int | str, ...] | None:
        """(frame, number) of a local name in the innermost frame that has it, else None."""
        if name in self.names:
            if name in self.kept:
                return (self.number, name)
            return (self.number, self.numbers.setdefault(name, len(self.numbers)))
        return self.around.find(name) if self.around is not None else None


def frame_of(node: ast.AST, around: Frame | None, number: int, keywords: frozenset[str]) -> Frame:
    """The frame that a function, lambda or comprehension opens."""
    outside = frozenset(
        name
        for inner in _own(node)
        if isinstance(inner, ast.Global | ast.Nonlocal)
        for name in inner.names
    )
    parameters = frozenset(_parameters(node))
    bound = frozenset(_bound(node)) | parameters
    looks_up = any(
        isinstance(inner, ast.Name) and inner.id in _LOOKED_UP_BY_NAME for inner in ast.walk(node)
    )
    kept = bound if looks_up else parameters & keywords
    return Frame(number, bound - outside, outside, kept, around)


def keyword_names(tree: ast.AST) -> frozenset[str]:
    """Every name that is used as a keyword in a call."""
    return frozenset(
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg is not None
    )


def _parameters(node: ast.AST) -> Iterator[str]:
    arguments = getattr(node, "args", None)
    if isinstance(arguments, ast.arguments):
        for group in (arguments.posonlyargs, arguments.args, arguments.kwonlyargs):
            yield from (a.arg for a in group)
        yield from (a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None)


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that are bound in the node's own scope."""
    if isinstance(node, _COMPREHENSIONS):
        for generator in node.generators:
            for inner in ast.walk(generator.target):
                if isinstance(inner, ast.Name):
                    yield inner.id
        return
    for inner in _own(node):
        yield from _bound_by(inner)


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name:
            yield node.name
    elif isinstance(node, ast.MatchMapping):
        if node.rest:
            yield node.rest
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope's body; of inner scopes only the node itself and walrus targets."""
    body = getattr(node, "body", [])
    waiting: list[ast.AST] = list(body) if isinstance(body, list) else [body]
    while waiting:
        inner = waiting.pop()
        yield inner
        if isinstance(inner, _COMPREHENSIONS):
            # A walrus inside a comprehension binds in the function around it.
            yield from (w.target for w in ast.walk(inner) if isinstance(w, ast.NamedExpr))
        elif not isinstance(inner, _SCOPES):
            waiting.extend(ast.iter_child_nodes(inner))
