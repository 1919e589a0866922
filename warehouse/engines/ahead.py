"""Work done ahead of its reader, by threads, in order. Knows nothing of joins."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 4


def ahead(pool: Executor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` of each item in order. Some are begun at once, before the first is asked for, and no
    more than those are held."""
    rest = iter(items)
    begun = deque(pool.submit(work, item) for item in islice(rest, _AT_ONCE))
    return _results(pool, work, begun, rest)


def _results(
    pool: Executor, work: Callable[[T], R], begun: deque[Future[R]], rest: Iterator[T]
) -> Iterator[R]:
    while begun:
        result = begun.popleft().result()
        begun.extend(pool.submit(work, item) for item in islice(rest, 1))
        yield result
