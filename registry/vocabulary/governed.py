"""`governed(...)`: the facts that govern a feature or view, as Feast tags. Feast is not imported.

Tags are text: each key starts with `fieldhouse.`; what is not a string is JSON. A `default` is
always JSON, so that the text "5" and the number 5 stay apart.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.core.definitions import (
    DECLARED_STATES,
    STALENESS_POLICIES,
    Expectation,
    Governance,
    Scalar,
)
from registry.kernel.canonical import canonical_json
from registry.kernel.clock import format_instant, parse_instant
from registry.kernel.errors import Invalid
from registry.kernel.refs import parse_ref

PREFIX = "fieldhouse."
NOTHING_SAID = Governance()
_WORD = re.compile(r"^[a-z][a-z0-9_-]*$")
_NAME = re.compile(r"^[^\s:@]+(@\d+)?$")


@dataclass(frozen=True, slots=True)
class Declared:
    """What the tags of one object say: the facts, where it belongs, what is expected of its data.

    `others` are the tags that are not ours, sorted.
    """

    facts: Governance = NOTHING_SAID
    domain: str | None = None
    expectations: tuple[Expectation, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


def governed(  # noqa: PLR0913 - one keyword a fact, all of them optional
    *,
    owner: str | None = None,
    description: str | None = None,
    unit: str | None = None,
    sensitivity: str | None = None,
    state: str | None = None,
    sunset: datetime | str | None = None,
    replaced_by: str | None = None,
    reason: str | None = None,
    staleness: str | None = None,
    default: Scalar = None,
    version: int | None = None,
    moved_from: str | None = None,
    domain: str | None = None,
    expectations: Sequence[Expectation] = (),
    tags: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Tags for a Feast `Field`, view or `FeatureService`; what a field does not say, its view says.

    `state` is draft (also when nothing is said), production or deprecated; `sunset` an instant
    with a time zone; `replaced_by` a `view:feature` or, on a view, a view; `staleness` one of last,
    default, null, refuse; `default` what policy "default" answers; `version` acknowledges a new
    meaning; `moved_from` is the `view:feature` (or, on a view, the view) by which it was known
    before, with `namespace/` before it when it was another repository's. `tags` are passed through.
    Raises `Invalid` at once when a value breaks its format.
    """
    given: dict[str, Any] = {
        "owner": owner,
        "description": description,
        "unit": unit,
        "sensitivity": sensitivity,
        "state": state,
        "sunset": sunset,
        "replaced_by": replaced_by,
        "reason": reason,
        "staleness": staleness,
        "default": default,
        "version": version,
        "moved_from": moved_from,
        "domain": domain,
        "expectations": list(expectations) or None,
    }
    made = {
        PREFIX + key: _WRITERS[key](key, value) for key, value in given.items() if value is not None
    }
    return {**dict(tags or {}), **made}


def read_tags(tags: Mapping[str, str]) -> Declared:
    """Read back what `governed` wrote. Raises `Invalid` for a key or value that it never writes."""
    ours = {key.removeprefix(PREFIX): tags[key] for key in tags if key.startswith(PREFIX)}
    unknown = sorted(set(ours) - set(_WRITERS))
    if unknown:
        raise Invalid(
            f"unknown tag {PREFIX}{unknown[0]}", hint=f"known: {', '.join(sorted(_WRITERS))}"
        )
    said = {key: _READERS.get(key, _as_it_is)(text) for key, text in ours.items()}
    for key, text in ours.items():
        if _WRITERS[key](key, said[key]) != text:
            raise Invalid(f"tag {PREFIX}{key} is not written as governed(...) writes it", text)
    domain, expectations = said.pop("domain", None), said.pop("expectations", ())
    others = tuple(sorted((k, v) for k, v in tags.items() if not k.startswith(PREFIX)))
    return Declared(Governance(**said), domain, tuple(expectations), others)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"{key} must be text that says something, found {value!r}")
    return value


def _word(key: str, value: Any) -> str:
    if not isinstance(value, str) or not _WORD.match(value):
        raise Invalid(f"{key} {value!r} is not a lower-case word", hint="for example: internal")
    return value


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def check(key: str, value: Any) -> str:
        if value not in choices:
            raise Invalid(f"{key} {value!r} is not known", hint=f"use one of {', '.join(choices)}")
        return str(value)

    return check


def _instant(key: str, value: Any) -> str:
    if isinstance(value, str):
        value = parse_instant(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Invalid(
            f"{key} {value} has no time zone",
            hint="give datetime(..., tzinfo=UTC) or a text with Z",
        )
    return format_instant(value)


def _replacement(key: str, value: Any) -> str:
    text = _text(key, value)
    if ":" in text:
        parse_ref(text)
    elif not _NAME.match(text):
        raise Invalid(f"{key} {value!r} names no feature", hint="write view:feature or a view")
    return text


def _scalar(key: str, value: Any) -> str:
    if not isinstance(value, str | int | float | bool):
        raise Invalid(f"{key} must be a single value, found {value!r}")
    try:
        return canonical_json(value)
    except ValueError as error:
        raise Invalid(f"{key} {value!r} has no JSON form", hint="use a finite number") from error


def _version(key: str, value: Any) -> str:
    if type(value) is not int or value < 1:
        raise Invalid(f"{key} {value!r} is not a version", hint="versions count from 1")
    return str(value)


def _expectations(key: str, value: Any) -> str:
    if not all(isinstance(item, Expectation) for item in value):
        raise Invalid(f"{key} must be made with fieldhouse.expect, found {value!r}")
    return canonical_json([[item.kind, item.arguments] for item in value])


def _as_it_is(text: str) -> str:
    return text


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Invalid(f"a tag holds {text!r}, which is not JSON") from error


def _read_expectations(text: str) -> tuple[Expectation, ...]:
    try:
        return tuple(Expectation(kind, arguments) for kind, arguments in _from_json(text))
    except (TypeError, ValueError) as error:
        raise Invalid(f"a tag holds {text!r}, which is no list of expectations") from error


_WRITERS: dict[str, Callable[[str, Any], str]] = {
    "owner": _text,
    "description": _text,
    "unit": _text,
    "sensitivity": _word,
    "state": _one_of(*DECLARED_STATES),
    "sunset": _instant,
    "replaced_by": _replacement,
    "moved_from": _replacement,
    "reason": _text,
    "staleness": _one_of(*STALENESS_POLICIES),
    "default": _scalar,
    "version": _version,
    "domain": _word,
    "expectations": _expectations,
}
_READERS: dict[str, Callable[[str], Any]] = {
    "sunset": parse_instant,
    "default": _from_json,
    "version": _from_json,
    "expectations": _read_expectations,
}
