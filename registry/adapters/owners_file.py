"""Owners as reviewers see them: `owners.toml` in the feature repository, `[people]` beside it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.core.owners import Domain, Owners
from registry.kernel.errors import Invalid

FILE_NAME = "owners.toml"


def read_owners(repository: Path, people: Mapping[str, Any] | None = None) -> Owners:
    """The owners of a repository; nobody where there is no file.

    `[domains.NAME]` has owner and stewards, `[teams]` an owner's members, `[people]` the subject of
    each login of the forge; `people` is the table of that name in fieldhouse.toml, which adds to
    it. Raises `Invalid` for a line of another form.
    """
    file = repository / FILE_NAME
    table = _read(file) if file.is_file() else {}
    logins = {**_table(file, table, "people"), **(people or {})}
    return Owners(
        domains={
            name: _domain(file, name, entry)
            for name, entry in _table(file, table, "domains").items()
        },
        teams={
            name: _names(file, f"teams.{name}", members)
            for name, members in _table(file, table, "teams").items()
        },
        people={login.lower(): _name(file, login, subject) for login, subject in logins.items()},
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read {file}", str(error)) from error


def _table(file: Path, table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, Mapping):
        raise Invalid(f"{name} in {file} must be a table", f"found {found!r}")
    return found


def _domain(file: Path, name: str, entry: Any) -> Domain:
    if not isinstance(entry, Mapping):
        raise Invalid(f"domains.{name} in {file} must be a table", f"found {entry!r}")
    stewards = _names(file, f"domains.{name}.stewards", entry.get("stewards", []))
    return Domain(_name(file, f"domains.{name}.owner", entry.get("owner", "")), stewards)


def _names(file: Path, what: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Invalid(f"{what} in {file} must be a list of subjects", f"found {value!r}")
    return tuple(_name(file, what, entry) for entry in value)


def _name(file: Path, what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{what} in {file} must be a subject", f"found {value!r}")
    return value
