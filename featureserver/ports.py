"""What the feature server asks of an online store. Implementations live in `stores/`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol


class OnlineStore(Protocol):
    """Keeps a packed row (`rows`) under each key (`keys`). Raises `Unavailable` when it is away."""

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys` in their order, None where there is none; one round trip."""
        ...

    def write(
        self,
        keys: Sequence[bytes],
        rows: Sequence[bytes],
        *,
        expire_seconds: float | None = None,
        rewrite: bool = False,
    ) -> int:
        """Set each key to its row if that row is newer than what is there; how many were set.

        Newer means a greater (event time, created time), and for equal ones a greater row schema
        version. Comparing and setting are one atomic step per key, so concurrent writers, replays
        and late batches leave the newest. `rewrite` sets every key whatever is there. Rows expire
        `expire_seconds` after this write; None means never.
        """
        ...

    def delete_generation(self, namespace: str, view_key: str, generation: int) -> int:
        """Delete every row of one generation of one view; how many there were."""
        ...

    def count_generation(self, namespace: str, view_key: str, generation: int) -> int:
        """How many rows one generation of one view has."""
        ...

    def keys_of(self, namespace: str, view_key: str, generation: int) -> Iterator[list[bytes]]:
        """The keys of one generation of one view, in parts; a key may come twice."""
        ...

    def generations(self, namespace: str) -> dict[tuple[str, int], int]:
        """How many rows there are of each (view key, generation) of a namespace."""
        ...

    def notes(self, namespace: str) -> Mapping[str, bytes]:
        """Small values kept beside the rows of a namespace, by name; see `journal`."""
        ...

    def write_note(self, namespace: str, name: str, value: bytes) -> None: ...

    def add_note(self, namespace: str, name: str, value: bytes) -> bool:
        """Write a note unless there is one of that name, in one step; whether it was written."""
        ...

    def drop_note(self, namespace: str, name: str) -> None: ...

    def ping(self) -> None:
        """Return when the store answers; raises `Unavailable` otherwise."""
        ...

    def close(self) -> None: ...


class AsyncReader(Protocol):
    """The reading half of an online store, for an event loop. Requests share one connection."""

    async def read(self, keys: Sequence[bytes]) -> list[bytes | None]: ...

    async def ping(self) -> None:
        """Return when the store answers; raises `Unavailable` within the timeout."""
        ...

    async def close(self) -> None: ...
