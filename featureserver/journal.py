"""The journal of materialization: how far each generation has been written, kept beside its rows.

It lies in the online store, not in the registry, so that a store that lost its rows has lost its
journal too, and is filled again. Written after each chunk: a run that was killed goes on behind the
last chunk it noted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from featureserver.ports import OnlineStore
from registry.kernel.clock import format_instant
from registry.kernel.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Progress:
    """One generation's run over rows visible in (since, until].

    `complete` means that all of them are written, and everything before. Otherwise `after` is the
    online key of the last row written (rows come in the order of their join keys), None at first.
    `schema` is the row schema version they were written with.
    """

    since: datetime | None
    until: datetime
    schema: int
    after: bytes | None = None
    rows: int = 0
    complete: bool = False


_decode = msgspec.json.Decoder(Progress).decode


@dataclass(frozen=True, slots=True)
class Journal:
    """The entries of one namespace, by view key and generation."""

    store: OnlineStore
    namespace: str

    def read(self, view_key: str, generation: int) -> Progress | None:
        """How far that generation is; None when nothing of it was ever written."""
        return self._read(_name(view_key, generation))

    def write(self, view_key: str, generation: int, progress: Progress) -> None:
        self._write(_name(view_key, generation), progress)

    def read_span(self, view_key: str, generation: int, span: Progress) -> Progress | None:
        """The entry of a run over an explicit span, which says nothing of what came before."""
        return self._read(_name(view_key, generation) + _span(span))

    def write_span(self, view_key: str, generation: int, span: Progress) -> None:
        """Note how far a run over an explicit span is; its entry goes when it is complete."""
        name = _name(view_key, generation) + _span(span)
        if span.complete:
            self.store.drop_note(self.namespace, name)
        else:
            self._write(name, span)

    def generations(self) -> Iterator[tuple[str, int]]:
        """Every (view key, generation) that has an entry."""
        for name in self.store.notes(self.namespace):
            if "|" not in name:
                view_key, _, generation = name.rpartition(".")
                yield view_key, int(generation)

    def ahead(self, view_key: str, live: int) -> int | None:
        """The newest generation of a view that has been begun and is not live yet."""
        return max((g for k, g in self.generations() if k == view_key and g > live), default=None)

    def drop(self, view_key: str, generation: int) -> None:
        """Forget all entries of a generation."""
        own = _name(view_key, generation)
        for name in self.store.notes(self.namespace):
            if name == own or name.startswith(f"{own}|"):
                self.store.drop_note(self.namespace, name)

    def _read(self, name: str) -> Progress | None:
        raw = self.store.notes(self.namespace).get(name)
        if raw is None:
            return None
        try:
            return _decode(raw)
        except msgspec.DecodeError as error:
            raise Corrupt(
                f"the journal entry {name!r} of namespace {self.namespace!r} cannot be read",
                str(error),
                "delete it to have that generation filled again",
            ) from error

    def _write(self, name: str, progress: Progress) -> None:
        self.store.write_note(self.namespace, name, msgspec.json.encode(progress))


def _name(view_key: str, generation: int) -> str:
    return f"{view_key}.{generation}"


def _span(span: Progress) -> str:
    since = format_instant(span.since) if span.since is not None else ""
    return f"|{since}|{format_instant(span.until)}"
