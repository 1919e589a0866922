"""How a query of the corpus is written: the switches that are on, and what is not writable so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

T = TypeVar("T")


class Inapplicable(Exception):
    """This way of writing says nothing about this view."""


@dataclass(frozen=True, slots=True)
class Style:
    """`ways` names the switches that are on, see `families.py`.

    `finish` wraps an item's last expression (`"({}) * 60"`) by item name; `later` is added to the
    time at which each row is known.
    """

    ways: frozenset[str] = frozenset()
    finish: Mapping[str, str] = field(default_factory=dict)
    later: str = ""

    def has(self, *ways: str) -> bool:
        """Whether any of the switches is on."""
        return bool(self.ways & frozenset(ways))


PLAIN: Final = Style()


def entry(table: Mapping[str, T], key: str) -> T:
    """The table's entry; raises `Inapplicable` where there is none."""
    if key not in table:
        raise Inapplicable
    return table[key]
