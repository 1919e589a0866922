"""Where in the repository each Feast object was made: file and line, seen as it is made."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from registry.core.definitions import NOWHERE, Location


class Birthplaces:
    """Remembers objects by identity, and holds on to them so that no identity is used twice."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._places: dict[int, tuple[object, Location]] = {}

    def __call__(self, thing: object) -> Location:
        """Where the object was made; `NOWHERE` for one that was not seen."""
        return self._places.get(id(thing), (None, NOWHERE))[1]

    def of_frame(self, frame: FrameType | None) -> Location | None:
        """The innermost line of the repository at or above a frame."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(f"{self._root}/"):
                return Location(file[len(self._root) + 1 :], frame.f_lineno)
            frame = frame.f_back
        return None

    @contextmanager
    def watching(self, *classes: type) -> Iterator[None]:
        """While inside, objects of these classes and their subclasses are remembered."""
        kept: list[tuple[Any, Any]] = [(cls, cls.__dict__["__init__"]) for cls in classes]
        for cls, original in kept:
            cls.__init__ = self._remembering(original)
        try:
            yield
        finally:
            for cls, original in kept:
                cls.__init__ = original

    def _remembering(self, original: Callable[..., None]) -> Callable[..., None]:
        def remember(thing: object, *args: Any, **options: Any) -> None:
            place = self.of_frame(sys._getframe(1))
            if place is not None:
                self._places.setdefault(id(thing), (thing, place))
            original(thing, *args, **options)

        return remember
