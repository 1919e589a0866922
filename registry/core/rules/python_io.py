"""What a transformation's code must not use, found by reading its syntax tree. Runs nothing."""

import ast

ALLOWED_MODULES = frozenset(
    {
        "collections",
        "datetime",
        "decimal",
        "functools",
        "itertools",
        "json",
        "math",
        "numpy",
        "pandas",
        "re",
        "statistics",
        "string",
        "typing",
        "unicodedata",
        "zoneinfo",
    }
)
FORBIDDEN_NAMES = frozenset(
    ["open", "exec", "eval", "compile", "__import__", "input", "breakpoint", "globals", "print"]
)
UNSTABLE_CALLS = frozenset({"now", "utcnow", "today", "random", "time"})


def forbidden_uses(code: str) -> list[str]:
    """Names that do I/O, reach outside, or differ from call to call, sorted; [] when clean."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if _outside(a.name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "."} if _outside(node.module or ".") else set()
        elif isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES:
            found.add(f"{node.id}()")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found |= {f"{node.func.attr}()"} if node.func.attr in UNSTABLE_CALLS else set()
    return sorted(found)


def _outside(module: str) -> bool:
    return module.split(".")[0] not in ALLOWED_MODULES
