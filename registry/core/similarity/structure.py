"""Whether one definition is another but for a piece or two, and which pieces: for advice. Pure.

Never blocks and never asks: a definition one edit away may be what its author wants. What differs
is said in words that a reviewer knows, existing one first: "`avg` against `median`".
"""

from dataclasses import dataclass

from registry.core.similarity.edits import Edit, edits_between
from registry.core.similarity.trees import FILTER, GROUP, JOIN, Tree

MIN_RATIO = 0.75
MIN_NODES = 6
MAX_PIECES = 4
MAX_TEXT = 70


@dataclass(frozen=True, slots=True)
class NearCopy:
    """How alike two definitions are, 0 to 1, and in what they differ."""

    ratio: float
    differences: tuple[str, ...]

    @property
    def why(self) -> str:
        """Both in one clause."""
        said = "; ".join(self.differences) or "no piece"
        return f"{self.ratio:.0%} of the definition is the same, but for: {said}"


def near_copy(existing: Tree, new: Tree) -> NearCopy | None:
    """How the new definition differs from the existing one; None where they are no near copies, or
    too small to say, or too large to be compared to the end."""
    if min(existing.size, new.size) < MIN_NODES:
        return None
    if min(existing.size, new.size) < MIN_RATIO * max(existing.size, new.size):
        return None
    found = edits_between(existing, new)
    if found is None or found.ratio < MIN_RATIO:
        return None
    said = tuple(dict.fromkeys(_said(piece) for piece in found.pieces))
    return NearCopy(found.ratio, said) if len(said) <= MAX_PIECES else None


def _said(piece: Edit) -> str:
    old, new = piece
    if old is None or new is None:
        whole = old or new
        assert whole is not None
        return f"{_kind(whole)}`{_cut(whole.text)}` {'missing' if new is None else 'added'}"
    if old.label.startswith("interval ") and new.label.startswith("interval "):
        return f"window {_span(old)} against {_span(new)}"
    names = _function(old), _function(new)
    if all(names) and names[0] != names[1] and len(old.children) == len(new.children):
        return f"`{names[0]}` against `{names[1]}`"
    kind = _kind(old) if old.slot == new.slot else ""
    return f"{kind}`{_cut(old.text)}` against `{_cut(new.text)}`"


def _kind(tree: Tree) -> str:
    if tree.label.startswith("join"):
        return "join "
    if tree.label.startswith("where"):
        return ""
    return {FILTER: "filter ", JOIN: "join condition ", GROUP: "grouping "}.get(tree.slot, "")


def _function(tree: Tree) -> str:
    """The function that the node calls, if it does."""
    name, bracket, _ = tree.text.partition("(")
    return name.lower() if bracket and name.isidentifier() and tree.children else ""


def _span(tree: Tree) -> str:
    """`INTERVAL '28' DAY` as 28 days."""
    words = tree.text.replace("'", "").split()[1:]
    return " ".join(words).lower() + ("s" if len(words) == 2 and words[0] != "1" else "")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
