"""What a transformation's code must not use, found by reading its syntax tree. Runs nothing."""

import ast
from collections.abc import Sequence

from registry.core.on_demand import FORBIDDEN_NAMES

UNSTABLE_CALLS = frozenset({"now", "utcnow", "today", "random", "time"})


def forbidden_uses(code: str, modules: Sequence[str]) -> list[str]:
    """Names that do I/O, reach outside `modules`, or differ from call to call, sorted."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if _outside(a.name, modules)}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "."} if _outside(node.module or ".", modules) else set()
        elif isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES:
            found.add(f"{node.id}()")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found |= {f"{node.func.attr}()"} if node.func.attr in UNSTABLE_CALLS else set()
    return sorted(found)


def _outside(module: str, modules: Sequence[str]) -> bool:
    return module.split(".")[0] not in modules
