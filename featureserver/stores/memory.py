"""An online store in a dict: the twin of Redis for tests and for trying things out."""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from featureserver.keys import belongs, key_suffix, parse_key
from featureserver.rows import times_of
from registry.kernel.clock import Clock, system_clock

_VERSION = struct.Struct("<xH")


def newer(new: bytes, old: bytes) -> bool:
    """Whether row `new` replaces row `old`: by event time, created time, then schema version.

    What has no row's header is replaced by any row.
    """
    times = times_of(old)
    if times is None:
        return True
    return (times_of(new), _VERSION.unpack_from(new)) > (times, _VERSION.unpack_from(old))


class InMemoryOnlineStore:
    """An `OnlineStore` whose rows expire by the given clock."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._rows: dict[bytes, tuple[bytes, datetime | None]] = {}
        self._clock = clock
        self._notes: dict[str, dict[str, bytes]] = {}

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._live(key) for key in keys]

    def write(
        self,
        keys: Sequence[bytes],
        rows: Sequence[bytes],
        *,
        expire_seconds: float | None = None,
        rewrite: bool = False,
    ) -> int:
        until = None
        if expire_seconds is not None:
            until = self._clock() + timedelta(seconds=expire_seconds)
        written = 0
        for key, row in zip(keys, rows, strict=True):
            old = self._live(key)
            if rewrite or old is None or newer(row, old):
                self._rows[key] = (row, until)
                written += 1
        return written

    def delete_generation(self, namespace: str, view_key: str, generation: int) -> int:
        doomed = self._of(namespace, view_key, generation)
        for key in doomed:
            del self._rows[key]
        return len(doomed)

    def count_generation(self, namespace: str, view_key: str, generation: int) -> int:
        return len(self._of(namespace, view_key, generation))

    def keys_of(self, namespace: str, view_key: str, generation: int) -> Iterator[list[bytes]]:
        yield self._of(namespace, view_key, generation)

    def generations(self, namespace: str) -> dict[tuple[str, int], int]:
        return dict(Counter(filter(None, (parse_key(key, namespace) for key in self._rows))))

    def notes(self, namespace: str) -> Mapping[str, bytes]:
        return dict(self._notes.get(namespace, {}))

    def write_note(self, namespace: str, name: str, value: bytes) -> None:
        self._notes.setdefault(namespace, {})[name] = value

    def add_note(self, namespace: str, name: str, value: bytes) -> bool:
        kept = self._notes.setdefault(namespace, {})
        return kept.setdefault(name, value) is value

    def drop_note(self, namespace: str, name: str) -> None:
        self._notes.get(namespace, {}).pop(name, None)

    def ping(self) -> None:
        """Always there."""

    def close(self) -> None:
        """Nothing to let go of: what was written stays for the next test to look at."""

    def _of(self, namespace: str, view_key: str, generation: int) -> list[bytes]:
        suffix = key_suffix(namespace, view_key, generation)
        return [key for key in self._rows if belongs(key, suffix) and self._live(key) is not None]

    def _live(self, key: bytes) -> bytes | None:
        row, until = self._rows.get(key, (None, None))
        return None if until is not None and until <= self._clock() else row


class InMemoryReader:
    """The reading half for an event loop, over a store in memory."""

    def __init__(self, store: InMemoryOnlineStore) -> None:
        self._store = store

    async def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self._store.read(keys)

    async def close(self) -> None:
        """Nothing to let go of."""
