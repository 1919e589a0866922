"""What is configured, from where, and what is wrong. Looks, never mends; imports rooms late."""

import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldhouse import parts
from fieldhouse.parts import MASK, Check, without_password
from fieldhouse.rooms import STANDS_ON, RoomHidden, intruder, lookalikes
from fieldhouse.settings import BOOT_VARIABLES, OPEN_TABLES, distinct, settings_of
from registry.kernel.errors import FieldhouseError, nearest_names
from registry.kernel.settings import FILE_NAME, Setting, Settings
from registry.settings import REPOSITORY


@dataclass(frozen=True, slots=True)
class SettingLine:
    """A setting as it is shown: a secret's value is masked."""

    name: str
    value: Any
    origin: str
    env: str
    doc: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found."""

    root: str
    file: str | None
    settings: tuple[SettingLine, ...]
    checks: tuple[Check, ...]

    @property
    def wrong(self) -> int:
        return sum(check.verdict == "wrong" for check in self.checks)


def diagnose(settings: Settings) -> Diagnosis:
    """Look at everything; what cannot be looked at is a check of its own, never an error."""
    declared = _declared()
    lines, broken = _setting_lines(settings, declared)
    checks = [
        _python(),
        *_rooms(settings),
        _file(settings),
        *broken,
        *unknown_keys(settings.table, declared),
        *unknown_variables(settings.environ, declared),
        _guarded("feature repository", lambda: parts.look_at_repository(settings)),
        _guarded("redis-server", parts.look_at_redis_server),
        _guarded("online store", lambda: parts.look_at_online_store(settings)),
        _guarded("warehouse", lambda: parts.look_at_warehouse(settings)),
        _guarded("registry", lambda: parts.look_at_registry(settings)),
    ]
    file = str(settings.file) if settings.file else None
    return Diagnosis(str(settings.root), file, tuple(lines), tuple(checks))


def _declared() -> tuple[Setting, ...]:
    found: list[Setting] = []
    for room in (*STANDS_ON, "fieldhouse"):
        try:
            found.extend(settings_of(room))
        except RoomHidden:
            continue  # `_rooms` says it
    return distinct(found)


def _setting_lines(
    settings: Settings, declared: tuple[Setting, ...]
) -> tuple[list[SettingLine], list[Check]]:
    lines, broken = [], []
    for setting in declared:
        try:
            found = settings.find(setting)
        except FieldhouseError as error:
            broken.append(Check(setting.name, "wrong", error.asked, error.hint or setting.doc))
            continue
        value = MASK if setting.secret and found.value else without_password(found.value)
        lines.append(SettingLine(setting.name, value, found.origin, setting.env, setting.doc))
    return lines, broken


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _rooms(settings: Settings) -> Iterator[Check]:
    """One check a hidden room, or one that says that none is."""
    advice = "rename it, or work in another folder"
    hidden: dict[str, Check] = {}
    for folder in dict.fromkeys(_working_folders(settings)):
        for room, file in lookalikes(folder).items():
            what = f"Python started in {folder} imports {file} in place of our {room}"
            hidden.setdefault(room, Check(f"room {room}", "wrong", what, advice))
    for room in STANDS_ON:
        try:
            found = intruder(room)
        except RoomHidden:
            hidden[room] = Check(f"room {room}", "wrong", "missing", "install fieldhouse again")
            continue
        if found is not None:
            what = f"{found} is imported in place of our {room}"
            hidden[room] = Check(f"room {room}", "wrong", what, advice)
    yield from hidden.values() or [Check("rooms", "ok", ", ".join(STANDS_ON))]


def _working_folders(settings: Settings) -> Iterator[Path]:
    """Where Python is likely to be started: each comes first on its path."""
    yield Path.cwd()
    yield settings.root
    with suppress(FieldhouseError):  # an unreadable setting is another check's to say
        yield settings.path(REPOSITORY)


def _file(settings: Settings) -> Check:
    if settings.file is not None:
        return Check("configuration", "ok", str(settings.file))
    hint = "defaults apply; `fieldhouse init DIR --data FILE` makes a project"
    return Check("configuration", "note", f"no {FILE_NAME} here or above", hint)


def unknown_keys(table: Mapping[str, Any], declared: tuple[Setting, ...]) -> Iterator[Check]:
    """Keys of the file that no setting has, with the nearest that exist."""
    known = {setting.name for setting in declared} | set(OPEN_TABLES)
    sections = {name.partition(".")[0] for name in known}
    for section, content in table.items():
        if section in OPEN_TABLES:
            continue
        if section not in sections:
            yield _unknown(f"[{section}]", section, sections)
        elif isinstance(content, Mapping):
            for key in content:
                if f"{section}.{key}" not in known:
                    yield _unknown(f"{section}.{key}", f"{section}.{key}", known)


def unknown_variables(environ: Mapping[str, str], declared: tuple[Setting, ...]) -> Iterator[Check]:
    """Environment variables of our prefix that nothing reads: a note, they may be another's."""
    known = {setting.env for setting in declared} | set(BOOT_VARIABLES)
    for name in sorted(environ):
        if name.startswith("FIELDHOUSE_") and name not in known:
            nearest = nearest_names(name, known, limit=1)
            hint = f"nearest: {', '.join(nearest)}" if nearest else ""
            yield Check(f"environment {name}", "note", "no setting reads it", hint)


def _unknown(shown: str, name: str, known: set[str]) -> Check:
    nearest = nearest_names(name, known)
    hint = f"nearest: {', '.join(nearest)}" if nearest else "see docs/settings.md"
    return Check(f"key {shown}", "wrong", "no setting has that name", hint)


def _guarded(about: str, look: Callable[[], Check]) -> Check:
    """Whatever stops us from looking is itself what is wrong."""
    try:
        return look()
    except FieldhouseError as error:
        found = " ".join(part for part in (error.asked, error.found) if part)
        return Check(about, "wrong", without_password(found), error.hint)
    except RoomHidden as error:
        return Check(about, "wrong", f"not looked at: room {error.room} is hidden")
    except Exception as error:
        return Check(about, "wrong", without_password(f"{type(error).__name__}: {error}"))
