"""Waivers as reviewers see them: `waivers.toml` in the feature repository."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from registry.core.rules.engine import Waiver
from registry.kernel.errors import Invalid

FILE_NAME = "waivers.toml"
_KEYS = ("rule", "subject", "reason", "owner", "expires")


def read_waivers(repository: Path) -> tuple[Waiver, ...]:
    """The waivers of a repository; none when there is no file.

    Each `[[waiver]]` has rule, subject, reason, owner and expires (a date, until its end in UTC).
    Raises `Invalid` naming the first that lacks one.
    """
    file = repository / FILE_NAME
    if not file.is_file():
        return ()
    try:
        table = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"cannot read {file}", str(error)) from error
    return tuple(
        _waiver(file, number, entry) for number, entry in enumerate(table.get("waiver", []), 1)
    )


def _waiver(file: Path, number: int, entry: dict[str, Any]) -> Waiver:
    absent = [key for key in _KEYS if not entry.get(key)]
    if absent:
        raise Invalid(
            f"waiver {number} in {file} lacks {', '.join(absent)}",
            hint=f"a waiver has {', '.join(_KEYS)}",
        )
    expires = entry["expires"]
    if not isinstance(expires, date):
        raise Invalid(
            f"waiver {number} in {file} expires {expires!r}", hint="write a date: 2026-12-31"
        )
    end = datetime(expires.year, expires.month, expires.day, 23, 59, 59, tzinfo=UTC)
    texts = {key: str(entry[key]) for key in _KEYS if key != "expires"}
    return Waiver(**texts, expires=end)
