"""Settings: `fieldhouse.toml` beside `feature_repo/`, every key overridable by the environment.

`[section] key` is overridden by `FIELDHOUSE_SECTION_KEY`. Each value remembers where it came from,
so that `fieldhouse doctor` can say it.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.kernel.errors import Invalid, Misuse

FILE_NAME = "fieldhouse.toml"


@dataclass(frozen=True, slots=True)
class Setting:
    """What one key means. `default` also says its type: str, int, float, bool or list of str."""

    section: str
    key: str
    default: Any
    doc: str
    secret: bool = False

    @property
    def env(self) -> str:
        """The environment variable that overrides it."""
        return f"FIELDHOUSE_{self.section}_{self.key}".upper().replace("-", "_")

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it was found."""

    setting: Setting
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All that was configured, read once. `root` is the folder that relative paths start from."""

    root: Path
    file: Path | None
    table: Mapping[str, Any]
    environ: Mapping[str, str]

    def find(self, setting: Setting) -> Value:
        """The value in force: environment first, then the file, then the default."""
        if setting.env in self.environ:
            raw = self.environ[setting.env]
            return Value(setting, _from_text(setting, raw), f"environment {setting.env}")
        section = self.table.get(setting.section, {})
        if isinstance(section, Mapping) and setting.key in section:
            value = _checked(setting, section[setting.key])
            return Value(setting, value, f"{self.file}")
        return Value(setting, setting.default, "default")

    def get(self, setting: Setting) -> Any:
        return self.find(setting).value

    def path(self, setting: Setting) -> Path:
        """The setting as a path; a relative one starts at the project's root."""
        return self.root / str(self.get(setting))

    def section(self, name: str) -> Mapping[str, Any]:
        """A whole table of the file, for sections whose keys are the user's own names."""
        section = self.table.get(name, {})
        if not isinstance(section, Mapping):
            raise Invalid(f"[{name}] in {self.file} must be a table")
        return section


def read_settings(start: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the nearest `fieldhouse.toml` at or above `start`, or defaults when there is none.

    `FIELDHOUSE_CONFIG` names the file outright. Raises `Misuse` when that one is missing and
    `Invalid` when a file is not TOML.
    """
    env = dict(os.environ) if environ is None else dict(environ)
    file = _locate(start, env)
    if file is None:
        return Settings(start.resolve(), None, {}, env)
    try:
        table = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read {file}", str(error)) from error
    return Settings(file.parent.resolve(), file, table, env)


def _locate(start: Path, environ: Mapping[str, str]) -> Path | None:
    named = environ.get("FIELDHOUSE_CONFIG")
    if named:
        file = Path(named)
        if not file.is_file():
            raise Misuse(f"FIELDHOUSE_CONFIG names {named}, which is not a file")
        return file.resolve()
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
    return None


def _from_text(setting: Setting, raw: str) -> Any:
    kind = type(setting.default)
    if kind is bool:
        if raw.lower() in {"1", "true", "yes", "on"}:
            return True
        if raw.lower() in {"0", "false", "no", "off"}:
            return False
        raise Invalid(f"{setting.env}={raw!r} is not a yes or no", hint="write true or false")
    if kind is list:
        return [part.strip() for part in raw.split(",") if part.strip()]
    if kind in (int, float):
        try:
            return kind(raw)
        except ValueError as error:
            raise Invalid(f"{setting.env}={raw!r} is not a number") from error
    return raw


def _checked(setting: Setting, value: Any) -> Any:
    kind = type(setting.default)
    if kind is float and type(value) is int:
        return float(value)
    if setting.default is not None and type(value) is not kind:
        raise Invalid(
            f"{setting.name} in {FILE_NAME} must be {kind.__name__}, found {value!r}",
            hint=setting.doc,
        )
    return value
