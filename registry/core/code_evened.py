"""On-demand code with names evened out: of outputs, of inputs, of operands' order. Pure.

Two functions that compute one output alike get the same form whatever the output, its siblings and
the inputs are called. For finding copies only: a meaning digest is of the code as it stands.
"""

import ast
from collections.abc import Mapping
from functools import partial
from typing import Any

from registry.core.code_digest import normalised, parse_code
from registry.core.code_operands import ordered_operands
from registry.kernel.canonical import digest

_FILLING = frozenset({"append", "extend"})


def evened_code(code: str, entry: str, output: str, inputs: Mapping[str, Any]) -> list[Any]:
    """JSON-able form of what `entry` does for one output.

    `inputs` says what each input is, by the names that the code may read it by. Raises `Invalid`
    for what is no Python.
    """
    tree = parse_code(code)
    function = next(
        (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == entry), None
    )
    if function is None:
        return normalised(tree, entry)
    if len(function.args.args) == 1:
        _Inputs(function.args.args[0].arg, inputs).visit(function)
    answers = _answers(function)
    whole = answers is None
    if answers is not None:
        _keep_only(function, answers, output)
    tree = ordered_operands(tree)
    return [output if whole else "", *normalised(tree, entry)]


class _Inputs(ast.NodeTransformer):
    """Puts what an input is for the name by which the code reads it."""

    def __init__(self, argument: str, inputs: Mapping[str, Any]) -> None:
        self._argument, self._inputs = argument, inputs

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == self._argument:
            listed = node.slice.elts if isinstance(node.slice, ast.List) else [node.slice]
            for constant in listed:
                name = constant.value if isinstance(constant, ast.Constant) else None
                if isinstance(name, str) and name in self._inputs:
                    constant.value = digest(["input", self._inputs[name]])  # type: ignore[attr-defined]
        return node


def _answers(function: ast.FunctionDef) -> "_Answers | None":
    """The container that the function fills and gives back, or the dicts that it gives back; None
    when its outputs cannot be told by their names in the code."""
    returns = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
    if not returns or any(isinstance(n, ast.Lambda) for n in ast.walk(function)):
        return None
    if all(isinstance(value, ast.Dict) for value in returns):
        dicts = [value for value in returns if isinstance(value, ast.Dict)]
        return _Answers("", dicts) if all(map(_named, dicts)) else None
    names = {value.id for value in returns if isinstance(value, ast.Name)}
    if len(names) != 1 or not all(isinstance(value, ast.Name) for value in returns):
        return None
    return _filled_container(function, names.pop())


class _Answers:
    """Where the outputs' names stand: keys of `dicts`, and subscripts of local `container`."""

    def __init__(self, container: str, dicts: list[ast.Dict]) -> None:
        self.container, self.dicts = container, dicts

    def name_in(self, node: ast.AST) -> str | None:
        """The output that `container["name"]` names."""
        if not isinstance(node, ast.Subscript) or not _is_name(node.value, self.container):
            return None
        key = node.slice
        text = key.value if isinstance(key, ast.Constant) else None
        return text if isinstance(text, str) else None


def _filled_container(function: ast.FunctionDef, name: str) -> _Answers | None:
    """Every mention of the container is its making, `container["name"]`, or its return."""
    made = [n for n in ast.walk(function) if isinstance(n, ast.Assign) and _targets_alone(n, name)]
    dicts = [n.value for n in made if isinstance(n.value, ast.Dict)]
    found = _Answers(name, dicts)
    mentions = sum(_is_name(n, name) for n in ast.walk(function))
    known = sum(found.name_in(n) is not None for n in ast.walk(function))
    returns = sum(isinstance(n, ast.Return) for n in ast.walk(function))
    sure = len(made) == 1 and mentions == known + returns + 1 and all(map(_named, dicts))
    return found if sure else None


def _targets_alone(node: ast.Assign, name: str) -> bool:
    return len(node.targets) == 1 and _is_name(node.targets[0], name)


def _is_name(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _named(node: ast.Dict) -> bool:
    keys = [k.value if isinstance(k, ast.Constant) else None for k in node.keys]
    return all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys)


def _keep_only(function: ast.FunctionDef, answers: _Answers, output: str) -> None:
    """Drop what fills other outputs and nothing reads, then call the outputs that are left by their
    order, the wanted one "output"."""
    fill = partial(_filled, answers)
    filling = {id(n) for s in ast.walk(function) if (n := fill(s)) is not None}
    read = {
        name
        for node in ast.walk(function)
        if (name := answers.name_in(node)) is not None and id(node) not in filling
    }
    dropped = _names(function, answers) - read - {output}
    _Dropping(answers, dropped).visit(function)
    for node in answers.dicts:
        _leave_out(node, dropped)
    while _Idle(function).changed:
        pass
    _rename(function, answers, output)


def _names(function: ast.FunctionDef, answers: _Answers) -> set[str]:
    named = {k.value for d in answers.dicts for k in d.keys if isinstance(k, ast.Constant)}
    subscripts = {answers.name_in(node) for node in ast.walk(function)}
    return {name for name in (*named, *subscripts) if isinstance(name, str)}


def _filled(answers: _Answers, node: ast.AST) -> ast.AST | None:
    """The `container["name"]` that a statement fills and does nothing else with."""
    target: ast.AST | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        if isinstance(called, ast.Attribute) and called.attr in _FILLING:
            target = called.value
    return target if target is not None and answers.name_in(target) is not None else None


class _Dropping(ast.NodeTransformer):
    """Leaves out statements that fill outputs which are not wanted."""

    def __init__(self, answers: _Answers, dropped: set[str]) -> None:
        self._answers, self._dropped = answers, dropped

    def visit(self, node: ast.AST) -> Any:
        filled = _filled(self._answers, node)
        if filled is not None and self._answers.name_in(filled) in self._dropped:
            return None
        visited = self.generic_visit(node)
        return _with_body(visited)


class _Idle(ast.NodeTransformer):
    """Leaves out assignments to plain names that nothing reads; `changed` says whether any."""

    def __init__(self, function: ast.FunctionDef) -> None:
        names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
        self._read = {n.id for n in names if isinstance(n.ctx, ast.Load)}
        outside = (n for n in ast.walk(function) if isinstance(n, ast.Global | ast.Nonlocal))
        self._read |= {name for node in outside for name in node.names}
        self.changed = False
        self.visit(function)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        plain = [t.id for t in node.targets if isinstance(t, ast.Name)]
        if len(plain) == len(node.targets) and not self._read.intersection(plain):
            self.changed = True
            return None
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return _with_body(super().generic_visit(node))


def _with_body(node: ast.AST) -> ast.AST:
    """A block that lost its last statement keeps `pass`."""
    if getattr(node, "body", None) == []:
        node.body = [ast.Pass()]  # type: ignore[attr-defined]
    return node


def _leave_out(node: ast.Dict, dropped: set[str]) -> None:
    kept = [
        (key, value)
        for key, value in zip(node.keys, node.values, strict=True)
        if not (isinstance(key, ast.Constant) and key.value in dropped)
    ]
    node.keys, node.values = [k for k, _ in kept], [v for _, v in kept]


def _rename(function: ast.FunctionDef, answers: _Answers, output: str) -> None:
    called = {output: "output"}
    places = [key for d in answers.dicts for key in d.keys]
    places += [
        node.slice
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript) and answers.name_in(node) is not None
    ]
    for place in places:
        if isinstance(place, ast.Constant) and isinstance(place.value, str):
            place.value = called.setdefault(place.value, f"output {len(called)}")
