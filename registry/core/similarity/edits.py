"""How far two trees are apart, and in which pieces they differ. Pure.

An edit distance from the root down (Selkow 1977): a node may change its label, a whole sub-tree may
come or go, and beside that a node may be put around a tree (`ROUND(x)` for `x`). Equal sub-trees
are told by their hash and cost nothing, so near copies take little time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.core.similarity.trees import FILTER, Tree

MAX_STEPS = 20_000
# A condition is one piece to its reader, whatever in it differs.
CONDITIONS = frozenset({"eq", "neq", "lt", "lte", "gt", "gte", "in", "is", "like", "ilike", "not"})
Edit = tuple[Tree | None, Tree | None]


@dataclass(frozen=True, slots=True)
class Edits:
    """`ratio` is 1 for equal trees, 0 for trees without anything in common. `pieces` are (left,
    right) where they differ, None where one side has nothing; those of a changed label hold the
    whole nodes."""

    ratio: float
    pieces: tuple[Edit, ...]


class TooFar(Exception):
    """The trees are so large and so unlike that they are not compared to the end."""


def edits_between(left: Tree, right: Tree) -> Edits | None:
    """The cheapest edits from one tree to the other; None where that takes too many steps."""
    try:
        cost, pieces = _Comparison().between(left, right)
    except (TooFar, RecursionError):
        return None
    return Edits(max(0.0, 1 - cost / max(left.size, right.size)), tuple(pieces))


Answer = tuple[int, tuple[Edit, ...]]


@dataclass
class _Comparison:
    """Remembers what was compared, and stops where that is too much."""

    known: dict[tuple[bytes, bytes], Answer] = field(default_factory=dict)
    steps: int = 0

    def between(self, left: Tree, right: Tree) -> Answer:
        if left.mark == right.mark:
            return 0, ()
        pair = (left.mark, right.mark)
        if pair not in self.known:
            cost, pieces = min(self._options(left, right), key=lambda answer: answer[0])
            whole = left.slot == right.slot == FILTER and {left.label, right.label} <= CONDITIONS
            self.known[pair] = (cost, ((left, right),) if whole else pieces)
        return self.known[pair]

    def _options(self, left: Tree, right: Tree) -> list[Answer]:
        options: list[Answer] = [(left.size + right.size, ((left, right),))]
        if left.label == right.label:
            options.append(self._below(left.children, right.children))
        elif len(left.children) == len(right.children):
            cost, pieces = self._below(left.children, right.children)
            options.append((cost + 1, ((left, right), *pieces)))
        for child in left.children:
            options.append(self._wrapped(left, child, right, on_left=True))
        for child in right.children:
            options.append(self._wrapped(right, child, left, on_left=False))
        return options

    def _wrapped(self, around: Tree, child: Tree, other: Tree, *, on_left: bool) -> Answer:
        """One side is the other with a node around it."""
        if 2 * child.size < other.size or 2 * other.size < child.size:
            return around.size + other.size, ()
        one, two = (child, other) if on_left else (other, child)
        cost, pieces = self.between(one, two)
        edit: Edit = (around, child) if on_left else (child, around)
        return cost + around.size - child.size, (edit, *pieces)

    def _below(self, left: Sequence[Tree], right: Sequence[Tree]) -> Answer:
        """The cheapest alignment of two rows of children, equal ends left aside."""
        start = 0
        while start < min(len(left), len(right)) and left[start].mark == right[start].mark:
            start += 1
        left, right = left[start:], right[start:]
        while left and right and left[-1].mark == right[-1].mark:
            left, right = left[:-1], right[:-1]
        row: list[Answer] = [(0, ())]
        for new in right:
            cost, pieces = row[-1]
            row.append((cost + new.size, (*pieces, (None, new))))
        for old in left:
            row = self._next_row(row, old, right)
        return row[-1]

    def _next_row(self, row: list[Answer], old: Tree, right: Sequence[Tree]) -> list[Answer]:
        cost, pieces = row[0]
        made: list[Answer] = [(cost + old.size, (*pieces, (old, None)))]
        self.steps += len(right) + 1
        if self.steps > MAX_STEPS:
            raise TooFar
        for place, new in enumerate(right):
            options = [
                _plus(row[place + 1], (old.size, ((old, None),))),
                _plus(made[-1], (new.size, ((None, new),))),
                _plus(row[place], self.between(old, new)),
            ]
            made.append(min(options, key=lambda answer: answer[0]))
        return made


def _plus(one: Answer, other: Answer) -> Answer:
    return one[0] + other[0], one[1] + other[1]
