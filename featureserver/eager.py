"""A coroutine that runs as far as it can at once, and becomes a task only when it has to wait."""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Begun(Generic[T]):
    """Begins a coroutine; whoever awaits this gets its result.

    `done` says that it has ended without waiting; then `result` is what it gave. Up to its first
    wait it has no task of its own: `asyncio.timeout` there must be `asyncio.wait_for`.
    """

    result: T

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self.done = False
        try:
            self._awaited = coroutine.send(None)
        except StopIteration as end:
            self.done, self.result = True, end.value

    def __await__(self) -> Generator[Any, Any, T]:
        if self.done:
            return self.result
        awaited = self._awaited
        while True:
            thrown: BaseException | None = None
            try:
                yield awaited
            except BaseException as error:  # a cancellation belongs to the coroutine
                thrown = error
            try:
                if thrown is None:
                    awaited = self._coroutine.send(None)
                else:
                    awaited = self._coroutine.throw(thrown)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
