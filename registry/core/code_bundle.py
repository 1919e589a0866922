"""One text for a transformation: its function with all that it uses of the repository. Pure.

The function's constants, helpers and imports come along, also from other files of the repository,
so that the text stands alone after the repository has changed or gone.
"""

import ast
from collections.abc import Iterator, Mapping

from registry.core.code_digest import bound_names, module_definitions, parse_code
from registry.kernel.errors import Invalid


def bundle(sources: Mapping[str, str], module: str, entry: str) -> str:
    """The text of function `entry` of `module` and of what it uses, each thing before its users.

    `sources` maps the repository's modules by dotted name to their text. Raises `Invalid` when the
    function is not found, a helper is reached through a module, or two helpers share a name.
    """
    gatherer = _Gatherer(sources)
    gatherer.add(module, entry, entry)
    body = [*gatherer.imports(), *gatherer.statements]
    return "\n\n".join(ast.unparse(node) for node in body) + "\n"


class _Gatherer:
    """Collects statements depth first, so that a thing stands before what uses it."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._modules: dict[str, dict[str, ast.stmt]] = {}
        self._origin: dict[str, tuple[str, str]] = {}
        self._imports: dict[str, ast.stmt] = {}
        self._done: set[tuple[str, str]] = set()
        self.statements: list[ast.stmt] = []

    def imports(self) -> list[ast.stmt]:
        """The imports from outside the repository, sorted."""
        return [self._imports[text] for text in sorted(self._imports)]

    def add(self, module: str, name: str, alias: str) -> None:
        """Take in what `name` is in `module`; the users call it `alias`."""
        node = self._definitions(module).get(name)
        if node is None:
            raise Invalid(f"{name!r} is not defined at the top of module {module}")
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._add_import(node, module, name, alias)
            return
        self._claim(alias, (module, name))
        if alias != name:
            self._claim(name, (module, name))
        self._add_statement(module, name, node)
        if alias != name:
            target, value = ast.Name(alias, ast.Store()), ast.Name(name, ast.Load())
            node = ast.Assign(targets=[target], value=value)
            self.statements.append(ast.fix_missing_locations(node))

    def _add_statement(self, module: str, name: str, node: ast.stmt) -> None:
        if (module, name) in self._done:
            return
        self._done |= {(module, bound) for bound in bound_names(node)}
        plain = _undecorated(node)
        known = self._definitions(module)
        for used in _names(plain):
            if used in known and (module, used) not in self._done:
                self.add(module, used, used)
        self.statements.append(plain)

    def _add_import(
        self, node: ast.Import | ast.ImportFrom, module: str, name: str, alias: str
    ) -> None:
        part = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
        if isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module)
            if origin in self._sources:
                self.add(origin, part.name, alias)
                return
            if f"{origin}.{part.name}".lstrip(".") in self._sources:
                raise _through_module(name, module)
            made: ast.stmt = ast.ImportFrom(
                origin, [ast.alias(part.name, alias if alias != part.name else None)], 0
            )
        else:
            if part.name in self._sources:
                raise _through_module(name, module)
            renamed = alias if part.asname or alias != name else None
            made = ast.Import([ast.alias(part.name, renamed)])
        self._claim(alias, ("", ast.unparse(made)))
        self._imports[ast.unparse(made)] = made

    def _claim(self, alias: str, origin: tuple[str, str]) -> None:
        if self._origin.setdefault(alias, origin) != origin:
            raise Invalid(
                f"two things are called {alias!r} in what a transformation uses",
                f"{self._origin[alias][0]} and {origin[0]}",
                "rename one of them",
            )

    def _definitions(self, module: str) -> dict[str, ast.stmt]:
        if module not in self._modules:
            self._modules[module] = module_definitions(parse_code(self._sources.get(module, "")))
        return self._modules[module]


def _through_module(name: str, module: str) -> Invalid:
    return Invalid(
        f"a transformation in {module} reaches into module {name!r} of the repository",
        hint=f"import what it uses by name: from {name} import ...",
    )


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")[: -node.level]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _undecorated(node: ast.stmt) -> ast.stmt:
    """Without the decorator that makes the function a view."""
    if isinstance(node, ast.FunctionDef):
        kept = [d for d in node.decorator_list if "on_demand_feature_view" not in ast.unparse(d)]
        node.decorator_list = kept
    return node


def _names(node: ast.AST) -> Iterator[str]:
    """Names that are read in it, annotations left aside, in order, each once."""
    found: dict[str, None] = {}
    for part in _read_parts(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            found[part.id] = None
    yield from found


def _read_parts(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns"}:
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                yield from _read_parts(part)
