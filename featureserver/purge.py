"""Deletes generations that no reader uses any more, and counts that nothing is left of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from featureserver.journal import Journal
from featureserver.ports import OnlineStore
from registry.core.published import Published


@dataclass(frozen=True, slots=True)
class Purged:
    """One generation that went: rows deleted, and rows counted afterwards, which must be 0."""

    view: str
    generation: int
    deleted: int
    left: int

    @property
    def sentence(self) -> str:
        """What went, in words."""
        return f"{self.view}, generation {self.generation}: {self.deleted} keys deleted, " + (
            f"{self.left} are still there" if self.left else "none is left"
        )


def outlived(state: Published, known: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Of the known (view key, generation) pairs those that nobody reads or is about to read.

    That is a generation older than its line's live one, or of a line that is no longer published.
    """
    return sorted(
        (view_key, generation)
        for view_key, generation in set(known)
        if view_key not in state.views or generation < state.views[view_key].generation
    )


def purge(store: OnlineStore, journal: Journal, doomed: Iterable[tuple[str, int]]) -> list[Purged]:
    """Delete these generations and their journal entries; what was deleted and what is left."""
    done = []
    for view_key, generation in doomed:
        deleted = store.delete_generation(journal.namespace, view_key, generation)
        left = store.count_generation(journal.namespace, view_key, generation)
        if not left:
            journal.drop(view_key, generation)
        done.append(Purged(view_key, generation, deleted, left))
    return done
