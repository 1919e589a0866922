"""The part of a transformation that one feature needs. Pure, and only where that is certain.

Followed are functions that run straight through and answer with a dict written out, or with a
container that they fill by constant names. A function of another shape is taken whole.
"""

import ast
from functools import lru_cache

from registry.core.code_digest import parse_code

_EMPTY = frozenset({"dict()", "{}", "pd.DataFrame()", "pandas.DataFrame()", "DataFrame()"})
_STRAIGHT = (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)


@lru_cache(maxsize=65536)
def sliced(code: str, entry: str, feature: str, features: frozenset[str]) -> str:
    """`code` with function `entry` cut down to what output `feature` depends on.

    `features` are all outputs; only they are ever left out. Raises `Invalid` for what is no Python.
    """
    tree = parse_code(code)
    function = next(
        (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == entry), None
    )
    others = features - {feature}
    if function is None or not others or not _runs_straight(function):
        return code
    body = _keep_output(function.body, feature, others)
    if body is None:
        return code
    function.body = _needed(body)
    return ast.unparse(tree)


@lru_cache(maxsize=65536)
def inputs_read(code: str, entry: str) -> frozenset[str] | None:
    """The names by which `entry` reads its one argument; None when it may read any of them.

    Followed are `inputs["name"]`, a data frame's `inputs[["name", ...]]` and `inputs.index`:
    whoever passes the argument on, or loops over it, reads all.
    """
    function = next(
        (n for n in parse_code(code).body if isinstance(n, ast.FunctionDef) and n.name == entry),
        None,
    )
    if function is None or len(function.args.args) != 1:
        return None
    argument = function.args.args[0].arg
    nodes = list(ast.walk(function))
    uses = [n for n in nodes if isinstance(n, ast.Name) and n.id == argument]
    read = [names for n in nodes if (names := _names_read(n, argument)) is not None]
    return frozenset().union(*read) if len(read) == len(uses) else None


def _names_read(node: ast.AST, argument: str) -> frozenset[str] | None:
    """The names that a node reads of `argument`; None when it is no such reading."""
    if not isinstance(node, ast.Attribute | ast.Subscript) or not _is_name(node.value, argument):
        return None
    if not isinstance(node.ctx, ast.Load):
        return None
    if isinstance(node, ast.Attribute):
        return frozenset() if node.attr == "index" else None
    listed = node.slice.elts if isinstance(node.slice, ast.List) else [node.slice]
    texts = [n.value for n in listed if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return frozenset(texts) if len(texts) == len(listed) else None


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _runs_straight(function: ast.FunctionDef) -> bool:
    *before, last = function.body
    straight = all(isinstance(s, _STRAIGHT) for s in function.body)
    returns_once = isinstance(last, ast.Return) and not any(
        isinstance(s, ast.Return) for s in before
    )
    assigns = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await, ast.Delete)
    return straight and returns_once and not any(isinstance(n, assigns) for n in ast.walk(function))


def _keep_output(
    body: list[ast.stmt], feature: str, others: frozenset[str]
) -> list[ast.stmt] | None:
    answer = body[-1].value if isinstance(body[-1], ast.Return) else None
    if isinstance(answer, ast.Dict):
        return _keep_item(body, answer, feature)
    if isinstance(answer, ast.Name):
        return _keep_fillings(body, answer.id, others)
    return None


def _keep_item(body: list[ast.stmt], answer: ast.Dict, feature: str) -> list[ast.stmt] | None:
    keys = [k.value if isinstance(k, ast.Constant) else None for k in answer.keys]
    if keys.count(feature) != 1 or not all(isinstance(key, str) for key in keys):
        return None
    place = keys.index(feature)
    only = ast.Dict(keys=[answer.keys[place]], values=[answer.values[place]])
    return [*body[:-1], ast.Return(value=only)]


def _keep_fillings(
    body: list[ast.stmt], container: str, others: frozenset[str]
) -> list[ast.stmt] | None:
    """Without `container["other"] = ...` where nobody reads that column back."""
    uses = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == container]
    fillings = {id(s): _filled(s, container) for s in body}
    made = [s for s in body[:-1] if _makes_empty(s, container)]
    read = [_read(n, container) for s in body for n in ast.walk(s)]
    known = [name for name in read if name is not None]
    filled = [name for name in fillings.values() if name is not None]
    # Every mention is the making, a filling, a reading of one column, or the answer.
    if len(made) != 1 or len(uses) != 1 + len(filled) + len(known) + 1:
        return None
    kept = [s for s in body if fillings[id(s)] not in others - set(known)]
    # What only a dropped statement read can go as well.
    return kept if len(kept) == len(body) else _keep_fillings(kept, container, others)


def _makes_empty(node: ast.stmt, container: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    named = [t.id for t in targets if isinstance(t, ast.Name)]
    value = getattr(node, "value", None)
    return named == [container] and value is not None and ast.unparse(value) in _EMPTY


def _filled(node: ast.stmt, container: str) -> str | None:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return _column(node.targets[0], container)
    return None


def _read(node: ast.AST, container: str) -> str | None:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return _column(node, container)
    return None


def _column(node: ast.AST, container: str) -> str | None:
    """The constant name in `container["name"]`."""
    subscript = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    if not subscript or node.value.id != container:  # type: ignore[attr-defined]
        return None
    key = node.slice  # type: ignore[attr-defined]
    constant = isinstance(key, ast.Constant) and isinstance(key.value, str)
    return str(key.value) if constant else None


def _needed(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that the answer depends on; an assignment to names that nobody reads is idle."""
    kept: list[ast.stmt] = []
    for node in reversed(body):
        read = {n.id for s in kept for n in ast.walk(s) if isinstance(n, ast.Name)}
        if not (_assigns_names(node) and not (_assigned(node) & read)):
            kept.append(node)
    return kept[::-1]


def _assigns_names(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return (
        bool(targets)
        and all(isinstance(t, ast.Name | ast.Tuple) for t in targets)
        and all(
            isinstance(n, ast.Name)
            for t in targets
            for n in (t.elts if isinstance(t, ast.Tuple) else [t])
        )
    )


def _assigned(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
