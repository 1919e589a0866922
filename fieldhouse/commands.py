"""Every command in one table: where it lives and what it does. Imports no room.

`fieldhouse --help` is written from here alone, and a command is loaded when it is called. A test
keeps the table true.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: `target` is `module:attribute`, `section` its heading in the help.

    `children` is for a group that the door makes itself, out of commands of several rooms.
    """

    target: str
    summary: str
    section: str = "Commands"
    children: Mapping[str, "Entry"] | None = None


TABLE: Mapping[str, Entry] = {
    "init": Entry(
        "fieldhouse.project:init", "make a small working repository from your data", "Start"
    ),
    "doctor": Entry(
        "fieldhouse.project:doctor", "say what is configured, from where, what is wrong", "Start"
    ),
}
