"""On-demand transformations: one compiled function for training and for serving.

A function is compiled from its approved source text in a namespace that holds arithmetic and
little else. That keeps honest code honest (no files, no imports beyond a short list); it is not a
sandbox, since Python has none: what makes the code safe is that people approved its digest.
"""

import __future__

import ast
import builtins
import threading
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

from registry.core.on_demand import FORBIDDEN_NAMES, allowed_modules
from registry.core.published import PublishedOnDemand
from registry.kernel.canonical import digest
from registry.kernel.errors import Invalid
from registry.kernel.refs import parse_ref

Columns = Mapping[str, Sequence[Any]]
Transform = Callable[[Columns], dict[str, list[Any]]]

_SHORT_NAMES = {"numpy": "np", "pandas": "pd"}
_compiled: dict[str, Transform] = {}
_lock = threading.Lock()


def compile_transform(view: PublishedOnDemand) -> Transform:
    """The function of an on-demand view, over columns: names to equally long sequences, null None.

    It takes the view's inputs (`feature`, or `view__feature` where two share a name; either
    spelling may be passed and both are seen inside) and request fields, and gives one list for each
    of the view's features. Raises `Invalid` when the source does not compile, or, when called,
    when the function fails or gives other columns or lengths than declared. Cached by digest.
    """
    identity = digest(
        [view.code, view.entry, view.mode, list(view.inputs), [f.name for f in view.features]]
    )
    with _lock:
        if identity not in _compiled:
            _compiled[identity] = _make(view)
        return _compiled[identity]


def _make(view: PublishedOnDemand) -> Transform:
    function = _load_function(view)
    call = _call_pandas if view.mode == "pandas" else _call_python
    aliases = _aliases(view.inputs)
    names = tuple(feature.name for feature in view.features)

    def transform(columns: Columns) -> dict[str, list[Any]]:
        given = _with_aliases(columns, aliases)
        rows = len(next(iter(given.values()), ()))
        try:
            answer = call(function, given)
        except Exception as error:
            raise Invalid(
                f"on-demand view {view.key!r} failed", f"{type(error).__name__}: {error}"
            ) from error
        return _checked(view, names, answer, rows)

    return transform


def _load_function(view: PublishedOnDemand) -> Callable[[Any], Any]:
    namespace = _namespace(view.mode)
    try:
        exec(_compile(view), namespace)
    except Exception as error:
        raise Invalid(
            f"on-demand view {view.key!r} does not compile", f"{type(error).__name__}: {error}"
        ) from error
    function = namespace.get(view.entry)
    if not callable(function):
        raise Invalid(f"on-demand view {view.key!r} defines no function {view.entry!r}")
    found: Callable[[Any], Any] = function
    return found


def _compile(view: PublishedOnDemand) -> CodeType:
    """The source as code: without decorators, which made it a view, and with annotations unread."""
    tree = ast.parse(view.code)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == view.entry:
            node.decorator_list = []
    name = f"<on-demand {view.key}>"
    flags = __future__.annotations.compiler_flag
    code: CodeType = compile(tree, name, "exec", flags=flags, dont_inherit=True)
    return code


def _namespace(mode: str) -> dict[str, Any]:
    allowed = allowed_modules(mode)
    safe = {
        name: value
        for name, value in vars(builtins).items()
        if name not in FORBIDDEN_NAMES and not name.startswith("__")
    }
    safe["__build_class__"] = builtins.__build_class__
    safe["__import__"] = _importer(allowed)
    modules = {_SHORT_NAMES.get(name, name): __import__(name) for name in allowed}
    return {"__builtins__": safe, "__name__": "on_demand", **modules}


def _importer(allowed: Sequence[str]) -> Callable[..., Any]:
    def import_allowed(name: str, *args: Any, **options: Any) -> Any:
        if name.split(".")[0] not in allowed:
            raise ImportError(f"on-demand code may import {', '.join(allowed)}, not {name}")
        return __import__(name, *args, **options)

    return import_allowed


def _aliases(inputs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(full, short) names of the inputs; a short name that two inputs share is left out."""
    refs = [parse_ref(text) for text in inputs]
    short = [ref.feature for ref in refs]
    return tuple(
        (f"{ref.view}__{ref.feature}", ref.feature if short.count(ref.feature) == 1 else "")
        for ref in refs
    )


def _with_aliases(columns: Columns, aliases: Sequence[tuple[str, str]]) -> dict[str, Sequence[Any]]:
    given = dict(columns)
    for full, short in aliases:
        if full in given and short:
            given.setdefault(short, given[full])
        elif short in given:
            given[full] = given[short]
    return given


def _call_python(function: Callable[[Any], Any], columns: Columns) -> Mapping[str, Any]:
    answer = function({name: list(values) for name, values in columns.items()})
    return answer if isinstance(answer, Mapping) else {}


def _call_pandas(function: Callable[[Any], Any], columns: Columns) -> Mapping[str, Any]:
    import pandas as pd

    answer = function(pd.DataFrame({name: list(values) for name, values in columns.items()}))
    plain = answer.astype(object).where(answer.notna(), None)
    return {name: plain[name].tolist() for name in plain.columns}


def _checked(
    view: PublishedOnDemand, names: Sequence[str], answer: Mapping[str, Any], rows: int
) -> dict[str, list[Any]]:
    missing = [name for name in names if name not in answer]
    if missing:
        raise Invalid(
            f"on-demand view {view.key!r} did not give {', '.join(missing)}",
            f"it gave {', '.join(map(str, answer)) or 'nothing'}",
        )
    columns = {name: _listed(answer[name]) for name in names}
    wrong = [name for name, values in columns.items() if len(values) != rows]
    if wrong:
        raise Invalid(
            f"on-demand view {view.key!r} gave {len(columns[wrong[0]])} values of {wrong[0]!r}",
            f"it got {rows} rows",
            "give one value a row",
        )
    return columns


def _listed(values: Any) -> list[Any]:
    """Python values, whether numpy's or a list that may hold numpy's scalars."""
    if hasattr(values, "tolist"):
        listed = values.tolist()
        return listed if isinstance(listed, list) else [listed]
    return [value.item() if hasattr(value, "item") else value for value in values]
