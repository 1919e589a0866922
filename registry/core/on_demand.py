"""What an on-demand transformation may use: one list, for the rule and for the runtime alike."""

from collections.abc import Sequence

PYTHON_MODULES = (
    "collections",
    "datetime",
    "decimal",
    "functools",
    "itertools",
    "json",
    "math",
    "numpy",
    "re",
    "statistics",
    "string",
    "typing",
    "unicodedata",
    "zoneinfo",
)
FORBIDDEN_NAMES = frozenset(
    {
        "__import__",
        "breakpoint",
        "compile",
        "delattr",
        "eval",
        "exec",
        "exit",
        "globals",
        "help",
        "input",
        "locals",
        "open",
        "print",
        "quit",
        "setattr",
        "vars",
    }
)


def allowed_modules(mode: str) -> Sequence[str]:
    """The modules that code of that mode may import; "pandas" may have pandas besides."""
    return (*PYTHON_MODULES, "pandas") if mode == "pandas" else PYTHON_MODULES
