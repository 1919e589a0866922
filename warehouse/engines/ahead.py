"""Work done ahead of its reader, by threads, in order. Knows nothing of joins."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 4


def ahead(pool: Executor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` of each item in order, of some at once, so that no more than those are held."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= _AT_ONCE:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
