"""Entities typed on a command line, `key=value` as text, to the types that a plan needs. Pure."""

from collections.abc import Iterable
from typing import Any

from featureserver.plan import Plan
from registry.kernel.errors import Invalid, Misuse

_TRUTH = {"true": True, "false": False}


def read_entities(plan: Plan, words: Iterable[str]) -> dict[str, list[Any]]:
    """Columns of entities; an empty value is null. Raises `Misuse` or `Invalid`."""
    columns: dict[str, list[Any]] = {}
    for word in words:
        name, found, text = word.partition("=")
        if not found:
            raise Misuse(f"{word!r} is not key=value", hint="write origin=JFK")
        dtype = plan.entity_names.get(plan.aliases.get(name, name), "string")
        columns.setdefault(name, []).append(read_text(name, dtype, text))
    return columns


def read_text(name: str, dtype: str, text: str) -> Any:
    """One value; text stays text for types that are told as text in JSON, too."""
    if text == "":
        return None
    try:
        if dtype in ("int32", "int64"):
            return int(text)
        if dtype in ("float32", "float64"):
            return float(text)
        return _TRUTH[text.lower()] if dtype == "bool" else text
    except (ValueError, KeyError) as error:
        raise Invalid(f"{name}={text!r} is not of type {dtype}") from error
