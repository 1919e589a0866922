"""Writes the newest rows of one view into one generation, chunk by chunk, noting each one.

Reading and packing of a chunk go on while the one before is being written. Memory holds two chunks
and one batch of the engine's, whatever the view's size.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from featureserver.columns import BatchPacker, PackedBatch
from featureserver.journal import Progress
from featureserver.offline import Offline
from featureserver.ports import OnlineStore
from registry.core.published import PublishedView
from registry.kernel.progress import progress as shown_progress

if TYPE_CHECKING:
    from warehouse.profiles import ColumnProfile

ROWS_PER_WRITE = 16384

Note = Callable[[Progress], None]


@dataclass(slots=True)
class Filled:
    """What a fill did: rows read, how many were newer and written, how many had no key or event
    time; profiles of the features, and the seconds that these took."""

    rows: int = 0
    written: int = 0
    skipped: int = 0
    profiles: dict[str, "ColumnProfile"] = field(default_factory=dict)
    profile_seconds: float = 0.0

    def add(self, other: "Filled") -> None:
        self.rows += other.rows
        self.written += other.written
        self.skipped += other.skipped
        self.profile_seconds += other.profile_seconds
        for name, profile in other.profiles.items():
            self.profiles[name] = _merged(self.profiles.get(name), profile)


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills one view's generation (the one that `view` names) in `store`."""

    view: PublishedView
    engine: Offline
    store: OnlineStore
    expire_seconds: float | None = None
    rewrite: bool = False
    profile: bool = True

    def fill(self, begun: Progress, note: Note) -> Filled:
        """Write the rows of `begun`'s span that it has not written yet.

        `note` is called after each chunk, and at the end with a complete progress.
        """
        filled, at = Filled(), begun
        with ThreadPoolExecutor(1) as writer, shown_progress(f"materialize {self.view.key}") as bar:
            waiting: Future[int] | None = None
            last: PackedBatch | None = None
            for packed in self._packed(begun, filled):
                at = self._settle(waiting, last, at, filled, note)
                waiting, last = writer.submit(self._write, packed), packed
                bar.advance(len(packed.keys))
            at = self._settle(waiting, last, at, filled, note)
        note(replace(at, after=None, complete=True))
        return filled

    def _write(self, packed: PackedBatch) -> int:
        return self.store.write(
            packed.keys, packed.rows, expire_seconds=self.expire_seconds, rewrite=self.rewrite
        )

    def _settle(
        self,
        waiting: "Future[int] | None",
        packed: PackedBatch | None,
        at: Progress,
        filled: Filled,
        note: Note,
    ) -> Progress:
        """Wait for the chunk under way and note it."""
        if waiting is None or packed is None:
            return at
        filled.written += waiting.result()
        filled.rows += len(packed.keys) + packed.skipped
        filled.skipped += packed.skipped
        if not packed.keys:
            return at
        at = replace(at, after=packed.keys[-1], rows=at.rows + len(packed.keys))
        note(at)
        return at

    def _packed(self, begun: Progress, filled: Filled) -> Iterator[PackedBatch]:
        packer, after = BatchPacker(self.view), begun.after
        with self.engine.latest(self.view, since=begun.since, until=begun.until) as batches:
            for batch in batches:
                self._look_at(batch, filled)
                for chunk in in_chunks([batch]):
                    packed = packer.pack(chunk)
                    if after is not None:
                        packed, after = _behind(packed, after)
                    if packed.keys or packed.skipped:
                        yield packed
        if after is not None:  # the warehouse no longer has that key: begin again
            yield from self._packed(replace(begun, after=None), filled)

    def _look_at(self, batch: pa.RecordBatch, filled: Filled) -> None:
        if not self.profile or not batch.num_rows:
            return
        from warehouse.profiles import profile_table

        started = time.perf_counter()
        names = [feature.name for feature in self.view.features]
        for name, profile in profile_table(pa.Table.from_batches([batch.select(names)])).items():
            filled.profiles[name] = _merged(filled.profiles.get(name), profile)
        filled.profile_seconds += time.perf_counter() - started


def in_chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, cut so that memory stays bounded."""
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_PER_WRITE):
            yield batch.slice(start, ROWS_PER_WRITE)


def _behind(packed: PackedBatch, after: bytes) -> tuple[PackedBatch, bytes | None]:
    """What comes behind the key `after`, which is then no longer looked for."""
    if after not in packed.keys:
        return PackedBatch([], [], 0), after
    place = packed.keys.index(after) + 1
    return PackedBatch(packed.keys[place:], packed.rows[place:], 0), None


def _merged(known: "ColumnProfile | None", found: "ColumnProfile") -> "ColumnProfile":
    return found if known is None else known.merge(found)
