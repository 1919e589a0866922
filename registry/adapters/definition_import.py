"""Imports the files of a repository one by one; each failure is one finding, the rest goes on."""

import importlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType

from registry.adapters.birthplaces import Birthplaces
from registry.adapters.import_guard import ImportGuard, Stopped, definition_finding
from registry.adapters.repository_files import module_name, python_files
from registry.core.definitions import Location
from registry.core.findings import Finding


def import_files(root: Path, guard: ImportGuard, current: Path) -> list[ModuleType]:
    """The modules of all files that could be imported, `root` first on Python's path.

    The file at work is written to `current`, for when the process ends in the middle.
    """
    sys.path.insert(0, str(root))
    modules = []
    for file in python_files(root):
        current.write_text(file.relative_to(root).as_posix())
        module = _import_file(file, root, guard)
        if module is not None:
            modules.append(module)
    current.write_text("")
    return modules


def module_objects(modules: list[ModuleType]) -> Iterator[object]:
    """What stands at the top of the modules, each object once."""
    seen: set[int] = set()
    for module in modules:
        for name in sorted(vars(module)):
            thing = vars(module)[name]
            if id(thing) not in seen:
                seen.add(id(thing))
                yield thing


def _import_file(file: Path, root: Path, guard: ImportGuard) -> ModuleType | None:
    name = module_name(file, root)
    place = Location(file.relative_to(root).as_posix(), 1)
    hidden = sys.modules.get(name.partition(".")[0])
    if hidden is not None and not _is_under(hidden, root):
        message = f"{place.file} has the name of module {hidden.__name__!r}, which is in use"
        guard.note(definition_finding("definition-hides", message, place, "give it another name"))
        return None
    try:
        with guard.watching():
            return importlib.import_module(name)
    except Stopped:
        return None
    except BaseException as error:
        guard.note(_failure(error, root, place))
        return None


def _is_under(module: ModuleType, root: Path) -> bool:
    places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", []))]
    return any(Path(p).resolve().is_relative_to(root) for p in places if p)


def _failure(error: BaseException, root: Path, place: Location) -> Finding:
    said = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename:
        where = _relative(error.filename, root) or place.file
        at = Location(where, error.lineno or 1)
        return definition_finding(
            "definition-syntax", f"{where} is not Python: {error.msg}", at, "correct the line"
        )
    frames = _frames(error.__traceback__, root)
    at = frames[-1] if frames else place
    if _is_circle(error):
        return _circle(frames or [place])
    if isinstance(error, SystemExit):
        message, hint = f"{at.file} ends the process", "take the call of exit out of the file"
        return definition_finding("definition-exits", message, at, hint)
    if isinstance(error, MemoryError):
        message = f"{at.file} takes more memory than a definition may"
        return definition_finding("definition-memory", message, at, "state facts, load no data")
    kind = type(error).__name__
    message = f"{at.file} fails with {kind}: {said}" if said else f"{at.file} fails with {kind}"
    hint = str(getattr(error, "hint", "")) or "run the file by itself to see the whole of it"
    return definition_finding("definition-raises", message[:400], at, hint)


def _is_circle(error: BaseException) -> bool:
    known = isinstance(error, ImportError | AttributeError)
    return known and "partially initialized module" in str(error)


def _circle(frames: list[Location]) -> Finding:
    """One finding for one circle, whichever of its files is read first."""
    first = min(frames, key=lambda place: place.file)
    files = ", ".join(sorted({place.file for place in frames}))
    hint = "the files import each other: move what both need to a third one"
    message = f"{files} import each other in a circle"
    return definition_finding("definition-circle", message, first, hint)


def _frames(trace: TracebackType | None, root: Path) -> list[Location]:
    """The repository's lines in a traceback, outermost first."""
    places = []
    for frame in traceback.extract_tb(trace):
        file = _relative(frame.filename, root)
        if file is not None:
            places.append(Location(file, frame.lineno or 1))
    return places


def _relative(file: str, root: Path) -> str | None:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


__all__ = ["Birthplaces", "import_files", "module_objects"]
