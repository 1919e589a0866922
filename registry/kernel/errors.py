"""The one tree of errors. No HTTP status and no exit code lives here: the edges choose those."""

from collections.abc import Iterable
from difflib import get_close_matches


class FieldhouseError(Exception):
    """Whatever Fieldhouse refuses or cannot do, said in one message.

    The message has up to three lines: what was asked, what was found, what to do.
    """

    def __init__(self, asked: str, found: str = "", hint: str = "") -> None:
        self.asked = asked
        self.found = found
        self.hint = hint
        super().__init__(asked, found, hint)

    def __str__(self) -> str:
        lines = [self.asked, *(f"  {line}" for line in (self.found, self.hint) if line)]
        return "\n".join(lines)

    @property
    def kind(self) -> str:
        """The class's name, stable enough to match on."""
        return type(self).__name__


class Misuse(FieldhouseError):
    """The command or call itself is wrong: an unknown option value, a file that is not there."""


class Invalid(FieldhouseError):
    """Input was read and understood, and it breaks a rule of its format."""


class Refused(FieldhouseError):
    """The request is well formed and not allowed as things stand."""


class Conflict(Refused):
    """Somebody else changed the same thing first; plan again."""


class Unauthorized(Refused):
    """No token, or one that is not known, expired or revoked."""


class Forbidden(Refused):
    """The token is good, its roles do not allow this."""


class Gone(Refused):
    """It existed and was retired; the hint names the replacement when there is one."""


class Unavailable(FieldhouseError):
    """A part this needs (Redis, a database, a worker) does not answer. Worth trying again."""

    def __init__(
        self, asked: str, found: str = "", hint: str = "", retry_after_seconds: float = 1.0
    ) -> None:
        super().__init__(asked, found, hint)
        self.retry_after_seconds = retry_after_seconds


class Corrupt(FieldhouseError):
    """Stored bytes are not what was written: cut short, changed, or of an unknown layout."""


class NotFound(FieldhouseError):
    """A name that does not exist. The message offers the nearest names that do."""

    def __init__(self, what: str, name: str, known: Iterable[str] = (), hint: str = "") -> None:
        self.what = what
        self.name = name
        self.nearest = nearest_names(name, known)
        found = f"nearest: {', '.join(self.nearest)}" if self.nearest else ""
        super().__init__(f"there is no {what} {name!r}", found, hint)


def nearest_names(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Up to `limit` of the `known` names that look most like `name`."""
    return tuple(get_close_matches(name, list(known), n=limit, cutoff=0.5))
