"""Whether a room that Python would import is ours. Imports nothing, so that nothing can hide it.

Our rooms have plain names. Somebody's own `training.py` in the working folder comes first on
Python's path and would be imported in place of our `training`.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

HOUSE = Path(__file__).resolve().parent.parent
STANDS_ON = {
    "registry": (),
    "warehouse": ("registry",),
    "training": ("warehouse", "registry"),
    "featureserver": ("warehouse", "registry"),
    "serving": ("featureserver", "warehouse", "registry"),
}

_READ_MUCH = ("warehouse", "training")


class RoomHidden(ImportError):
    """Another module of a room's name comes first on Python's path. Says which file it is."""

    def __init__(self, room: str, intruder: Path | None) -> None:
        self.room = room
        self.intruder = intruder
        where = str(intruder) if intruder else "missing from this installation"
        advice = "rename it, or work in another folder" if intruder else "install fieldhouse again"
        super().__init__(f"Fieldhouse cannot load its room {room!r}\n  found: {where}\n  {advice}")


def intruder(room: str) -> Path | None:
    """The file or folder that Python would import as `room` when that is not ours, else None.

    Raises `RoomHidden` when nothing at all would be imported.
    """
    found = _location(_spec(room))
    if found is None:
        raise RoomHidden(room, None)
    ours = HOUSE / room
    return None if found in (ours, ours / "__init__.py") else found


def lookalikes(folder: Path) -> dict[str, Path]:
    """The files in a folder that would hide a room from Python started there, by room."""
    found = {}
    for room in STANDS_ON:
        for file in (folder / f"{room}.py", folder / room / "__init__.py"):
            if file.is_file() and file.resolve() != HOUSE / room / "__init__.py":
                found[room] = file.resolve()
    return found


def require(room: str) -> None:
    """Raise `RoomHidden` unless `room`, and each room that it stands on, is ours."""
    for name in (*STANDS_ON[room], room):
        found = intruder(name)
        if found is not None:
            raise RoomHidden(name, found)


def load(target: str) -> ModuleType:
    """Import `room.module` after making sure that the room is ours."""
    room = target.partition(".")[0]
    if room in STANDS_ON:
        require(room)
    if room in _READ_MUCH:
        from registry.kernel.arrow_memory import prefer_jemalloc

        prefer_jemalloc()
    return import_module(target)


def _spec(room: str) -> ModuleSpec | None:
    loaded = sys.modules.get(room)
    return loaded.__spec__ if loaded is not None else find_spec(room)


def _location(spec: ModuleSpec | None) -> Path | None:
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin).resolve()
    folders = list(spec.submodule_search_locations or ())
    return Path(folders[0]).resolve() if folders else None
