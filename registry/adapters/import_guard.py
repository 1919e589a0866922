"""Watches what files do while they are imported: printing, exiting, starting processes, I/O.

It sees what code of the repository does itself or through the standard library; what an installed
package does when it is imported is that package's business.
"""

import os
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from registry.adapters.birthplaces import Birthplaces
from registry.core.definitions import Location
from registry.core.findings import Finding, Severity

_PROCESSES = frozenset(
    {"os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system"}
    | {"pty.spawn", "subprocess.Popen"}
)
_CONNECTIONS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.bind"})
_SAID = {
    "definition-forks": ("starts a process", "a definition states facts and starts nothing"),
    "definition-connects": ("opens a connection", "a definition states facts and reads no network"),
    "definition-writes": ("writes a file", "a definition states facts and writes nothing"),
    "definition-exits": ("ends the process", "take the call of exit out of the file"),
}


class Stopped(BaseException):
    """Raised in a definition that does what none may do. The finding has been noted already."""


class ImportGuard:
    """Notes findings; one for each thing done at one place."""

    def __init__(self, birthplaces: Birthplaces) -> None:
        self._birthplaces = birthplaces
        self._active = False
        self._seen: dict[tuple[str, Location], Finding] = {}
        self._library = (sysconfig.get_path("stdlib"), "<frozen")
        sys.addaudithook(self._audit)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noted, in order."""
        return tuple(self._seen.values())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, the rules hold."""
        streams, leave = (sys.stdout, sys.stderr), os._exit
        os._exit = self._refuse_exit
        sys.stdout = sys.stderr = _Ear(self._printed)
        self._active = True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            self._active = False
            sys.stdout, sys.stderr = streams
            os._exit = leave

    def note(self, finding: Finding) -> None:
        """Keep a finding unless the same thing was found at the same place."""
        self._seen.setdefault((finding.rule, finding.location), finding)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event in _PROCESSES:
            self._refuse("definition-forks", sys._getframe(1))
        elif event in _CONNECTIONS:
            self._refuse("definition-connects", sys._getframe(1))
        elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
            self._refuse("definition-writes", sys._getframe(1))

    def _refuse_exit(self, status: int) -> NoReturn:
        self._refuse("definition-exits", sys._getframe(1))
        raise Stopped

    def _refuse(self, rule: str, frame: FrameType | None) -> None:
        place = self._doer(frame)
        if place is not None:
            what, hint = _SAID[rule]
            self.note(definition_finding(rule, f"{place.file} {what}", place, hint))
            raise Stopped(what)

    def _doer(self, frame: FrameType | None) -> Location | None:
        """The repository's line that did it, itself or through the standard library."""
        while frame is not None and self._is_library(frame.f_code.co_filename):
            frame = frame.f_back
        own = self._birthplaces.of_frame(frame)
        if own is None or frame is None or not frame.f_code.co_filename.endswith(own.file):
            return None
        return own

    def _is_library(self, file: str) -> bool:
        return file.startswith(self._library) and "site-packages" not in file

    def _printed(self, text: str) -> None:
        place = self._birthplaces.of_frame(sys._getframe(2))
        if text.strip() and place is not None:
            said = f"{place.file} prints {text.strip()[:40]!r} when it is read"
            hint = "a definition states facts and says nothing"
            self.note(definition_finding("definition-prints", said, place, hint, error=False))


class _Ear:
    """Stands in for a stream: hears what is written and lets none of it out."""

    encoding = "utf-8"

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear

    def write(self, text: str) -> int:
        self._hear(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False


def definition_finding(
    rule: str, message: str, place: Location, hint: str, *, error: bool = True
) -> Finding:
    """A finding about a file that defines things."""
    severity: Severity = "error" if error else "warning"
    return Finding(rule, "meaning", severity, message, place.file, place, (), hint)
