"""Settings of the door, and where to find those of every room. Reads no value."""

from collections.abc import Iterable
from importlib.util import find_spec

from fieldhouse.rooms import STANDS_ON, load, require
from registry.kernel.settings import Setting

LOG_LEVEL = Setting(
    "logs", "level", "WARNING", "what commands log to stderr: DEBUG, INFO, WARNING or ERROR"
)
SETTINGS = (LOG_LEVEL,)

# Read from the environment alone, before any file is found.
BOOT_VARIABLES = {
    "FIELDHOUSE_CONFIG": "names the configuration file outright, wherever it lies",
    "FIELDHOUSE_DEBUG": "when set, an error also shows its traceback",
}
# Tables of fieldhouse.toml whose keys are the user's own names.
OPEN_TABLES = {
    "warehouse.tables": "logical table name = path or glob of its Parquet files",
    "rules": "a rule's id = error, warning, notice or off",
    "policy": "kind of change = the number of approvals that it takes",
}


def settings_of(room: str) -> tuple[Setting, ...]:
    """The settings of one room, of ours only. Raises `RoomHidden`."""
    if room == "fieldhouse":
        return SETTINGS
    require(room)
    if find_spec(f"{room}.settings") is None:
        return ()
    return tuple(load(f"{room}.settings").SETTINGS)


def all_settings() -> tuple[Setting, ...]:
    """Every setting that there is, room by room. Raises `RoomHidden`."""
    return distinct(setting for room in (*STANDS_ON, "fieldhouse") for setting in settings_of(room))


def distinct(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Each name once: rooms may share a setting of the room below."""
    return tuple({setting.name: setting for setting in settings}.values())
