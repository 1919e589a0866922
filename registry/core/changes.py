"""What a change to the registry is: a thing that comes, goes or differs, and a plan of many. Pure.

Nothing is compared here (`registry.core.planning` does) and nothing judged (rules do).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from registry.core.definitions import NOWHERE, Location
from registry.core.readers import Reader
from registry.kernel.canonical import digest

Action = Literal["add", "change", "remove", "move"]
Aspect = Literal["meaning", "text", "state", "definition", "members"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One facet of a thing before and after; None means: was not, or will not be, there."""

    facet: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one thing. `version` is the feature version that results from it.

    `acknowledged` says that the author declared that version. `basis` is the digest of what the
    change starts from, so that a plan is void when that moved on.
    """

    action: Action
    object: str
    name: str
    aspect: Aspect
    differences: tuple[Difference, ...] = ()
    version: int | None = None
    acknowledged: bool = True
    readers: tuple[Reader, ...] = ()
    basis: str = ""
    result: str = ""
    location: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one repository, in a fixed order. `digest` names exactly these changes."""

    namespace: str
    changes: tuple[Change, ...]

    @property
    def empty(self) -> bool:
        return not self.changes

    @property
    def digest(self) -> str:
        """Covers the changes and what they start from, not what else the registry holds."""
        return digest({"namespace": self.namespace, "changes": [_body(c) for c in self.changes]})


def _body(change: Change) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(change)
    for unstable in ("location", "readers"):
        body.pop(unstable)
    return body


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """The facets that are not the same in both."""
    names = list(dict.fromkeys([*before, *after]))
    return tuple(
        Difference(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )
