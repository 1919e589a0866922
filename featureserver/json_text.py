"""JSON text as rows hold it: strict, without spaces. Pure."""

import json
from typing import Any

from registry.kernel.errors import Invalid


def dump_json(value: Any) -> str:
    """JSON without spaces; raises `Invalid` for what it cannot say."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise wrong("something that JSON can say", value) from error


def load_json(text: str | bytes) -> Any:
    """What JSON says, which knows neither NaN nor infinities. Raises `Invalid`."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise wrong("JSON", text) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def wrong(wanted: str, value: Any) -> Invalid:
    """The error for a value that is not what was wanted, which it shows in short."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Invalid(f"{shown} is not {wanted}", f"it is of type {type(value).__name__}")
