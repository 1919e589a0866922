"""What Python code means, apart from how it is written. Pure: the code is parsed, never run.

Comments, docstrings, formatting, annotations, the names of local variables, parameters and helper
functions, and the order of definitions do not count. Everything else does. Our own serialisation
is used instead of `ast.dump`, whose text differs between Python versions.
"""

import ast
from functools import lru_cache
from typing import Any

from registry.core.code_names import Frame, frame_of, keyword_names
from registry.kernel.canonical import digest
from registry.kernel.errors import Invalid

_NOT_MEANING = frozenset(
    {
        "ctx",
        "type_comment",
        "kind",
        "type_ignores",
        "type_params",
        "annotation",
        "returns",
        "simple",
    }
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@lru_cache(maxsize=4096)
def code_digest(code: str, entry: str) -> str:
    """The digest of function `entry` with the module-level definitions of `code` that it uses.

    Raises `Invalid` when `code` is not Python or has no function of that name.
    """
    return digest(normalised(parse_code(code), entry))


def parse_code(code: str) -> ast.Module:
    """The tree of a module's text; raises `Invalid`."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise Invalid("the transformation is not Python", str(error)) from error


def normalised(tree: ast.Module, entry: str) -> list[Any]:
    """JSON-able form of `entry` and what it uses, in the order in which it is first used."""
    definitions = module_definitions(tree)
    if not isinstance(definitions.get(entry), ast.FunctionDef):
        raise Invalid(f"the transformation's code has no function {entry!r}")
    writer = _Writer(definitions, keyword_names(tree))
    writer.order[entry] = 0
    written: list[Any] = []
    while len(written) < len(writer.order):
        name = list(writer.order)[len(written)]
        written.append(writer.definition(definitions[name]))
    return written


def module_definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """What each module-level name is bound by: a function, class, import or assignment."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        for name in bound_names(node):
            found[name] = node
    return found


def bound_names(node: ast.stmt) -> list[str]:
    """The names that one module-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = (n for target in targets for n in ast.walk(target))
        return [n.id for n in names if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return []


class _Writer:
    """Turns trees into nested lists; remembers which module-level names it met, in order."""

    def __init__(self, definitions: dict[str, ast.stmt], keywords: frozenset[str]) -> None:
        self._definitions, self._keywords = definitions, keywords
        self.order: dict[str, int] = {}
        self._frames = 0

    def definition(self, node: ast.stmt) -> Any:
        """One module-level definition."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self._import(node)
        return self._write(node, None)

    def _import(self, node: ast.Import | ast.ImportFrom) -> Any:
        module = getattr(node, "module", None)
        return ["import", module, sorted(alias.name for alias in node.names)]

    def _write(self, value: Any, frame: Frame | None) -> Any:
        if isinstance(value, list):
            return [self._write(item, frame) for item in value]
        if not isinstance(value, ast.AST):
            return value
        if isinstance(value, ast.Constant):
            return ["constant", type(value.value).__name__, repr(value.value)]
        if isinstance(value, ast.Name):
            return self._name(value.id, frame)
        if isinstance(value, ast.JoinedStr):
            return ["JoinedStr", self._write(_whole_parts(value.values), frame)]
        if isinstance(value, _FUNCTIONS):
            return self._function(value, frame)
        if isinstance(value, _COMPREHENSIONS):
            return self._comprehension(value, frame)
        if isinstance(value, ast.AnnAssign) and value.value is not None:
            value = ast.Assign(targets=[value.target], value=value.value)
        return self._fields(value, frame)

    def _fields(self, node: ast.AST, frame: Frame | None) -> Any:
        made: list[Any] = [type(node).__name__]
        for field in node._fields:
            value = getattr(node, field, None)
            if field in _NOT_MEANING or value in (None, []):
                continue
            if isinstance(value, str) and _is_binding(node, field):
                made.append([field, self._name(value, frame)])
            elif field == "body" and isinstance(value, list):
                made.append([field, self._write(_without_idle(value), frame)])
            else:
                made.append([field, self._write(value, frame)])
        return made

    def _name(self, name: str, frame: Frame | None) -> Any:
        local = frame.find(name) if frame is not None else None
        if local is not None:
            return ["local", *local]
        if name in self._definitions:
            return ["module", self._index(name)]
        return ["name", name]

    def _index(self, name: str) -> Any:
        node = self._definitions[name]
        first = self.order.setdefault(name, len(self.order))
        if isinstance(node, ast.Import | ast.ImportFrom):
            return [first, _imported(node, name)]
        return first if len(bound_names(node)) == 1 else [first, bound_names(node).index(name)]

    def _function(self, node: Any, frame: Frame | None) -> Any:
        inner = self._frame(node, frame)
        arguments = node.args
        parts: list[Any] = ["function", isinstance(node, ast.AsyncFunctionDef)]
        for kind in ("posonlyargs", "args", "kwonlyargs"):
            parts.append([self._parameter(a, inner) for a in getattr(arguments, kind)])
        for star in (arguments.vararg, arguments.kwarg):
            parts.append(self._parameter(star, inner) if star else None)
        parts.append(self._write([*arguments.defaults, *arguments.kw_defaults], frame))
        if isinstance(node, ast.Lambda):
            return [*parts, self._write(node.body, inner)]
        name = self._name(node.name, frame) if frame is not None else None
        if frame is not None or not _is_feast(node.decorator_list):
            parts.append(self._write(node.decorator_list, frame))
        return [*parts, name, self._write(_without_idle(node.body), inner)]

    def _parameter(self, node: ast.arg, frame: Frame) -> Any:
        return self._name(node.arg, frame)

    def _comprehension(self, node: Any, frame: Frame | None) -> Any:
        inner = self._frame(node, frame)
        first = node.generators[0]
        generators = [
            [
                self._write(g.iter, frame if g is first else inner),
                self._write(g.target, inner),
                self._write(g.ifs, inner),
                g.is_async,
            ]
            for g in node.generators
        ]
        values = [getattr(node, f) for f in ("elt", "key", "value") if hasattr(node, f)]
        return [type(node).__name__, generators, self._write(values, inner)]

    def _frame(self, node: ast.AST, around: Frame | None) -> Frame:
        self._frames += 1
        return frame_of(node, around, self._frames, self._keywords)


def _is_binding(node: ast.AST, field: str) -> bool:
    """Whether a text field of the node binds or names a variable."""
    return (type(node).__name__, field) in {
        ("ExceptHandler", "name"),
        ("MatchAs", "name"),
        ("MatchStar", "name"),
        ("MatchMapping", "rest"),
        ("ClassDef", "name"),
        ("FunctionDef", "name"),
    }


def _imported(node: ast.Import | ast.ImportFrom, name: str) -> str:
    """What the name stands for in the import, whatever it is called here."""
    for alias in node.names:
        if (alias.asname or alias.name.partition(".")[0]) == name:
            return alias.name if alias.asname else alias.name.partition(".")[0]
    return name


def _is_feast(decorators: list[ast.expr]) -> bool:
    """The decorator that made the view: it is told apart, and no part of the function."""
    calls = [d.func if isinstance(d, ast.Call) else d for d in decorators]
    return any(ast.unparse(c).endswith("on_demand_feature_view") for c in calls)


def _without_idle(body: list[ast.stmt]) -> list[ast.stmt]:
    """Without docstrings, bare constants, `pass` beside others and annotations without a value."""
    kept = [
        s
        for s in body
        if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        and not isinstance(s, ast.Pass)
        and not (isinstance(s, ast.AnnAssign) and s.value is None)
    ]
    return kept or [ast.Pass()]


def _whole_parts(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string, neighbouring texts joined: Python versions split them apart."""
    made: list[ast.expr] = []
    for part in values:
        last = made[-1] if made else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            made[-1] = ast.Constant(str(last.value) + str(part.value))
        else:
            made.append(part)
    return made
