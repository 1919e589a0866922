"""The text by which DuckDB gives rows of a source between two instants. Runs nothing."""

from collections.abc import Sequence
from datetime import datetime

from warehouse.engines.duckdb_sql import quote

_PLACE = quote("__place")


def rows_between(
    rows: str,
    columns: Sequence[str],
    time_column: str,
    start: datetime | None,
    end: datetime | None,
    newest_of: Sequence[str] | None = None,
    newest_by: Sequence[str] = (),
) -> str:
    """A SELECT of the named columns of `rows`, something to select from; see the port."""
    bounds = [(">=", start), ("<=", end)]
    column = quote(time_column)
    kept = [f"{column} IS NOT NULL"]
    kept += [f"{column} {sign} {_instant(at)}" for sign, at in bounds if at is not None]
    chosen = ", ".join(dict.fromkeys(map(quote, columns)))
    if newest_of is None:
        return f"SELECT {chosen} FROM {rows} WHERE {' AND '.join(kept)}"
    keys = ", ".join(map(quote, newest_of))
    order = ", ".join(f"{quote(name)} DESC NULLS LAST" for name in newest_by)
    window = f"PARTITION BY {keys} ORDER BY {order}" if keys else f"ORDER BY {order}"
    placed = f"SELECT *, row_number() OVER ({window}) AS {_PLACE} FROM {rows}"
    return f"SELECT {chosen} FROM ({placed} WHERE {' AND '.join(kept)}) WHERE {_PLACE} = 1"


def _instant(at: datetime) -> str:
    zone = "" if at.tzinfo is not None else "+00:00"
    return f"TIMESTAMPTZ '{at.isoformat(sep=' ')}{zone}'"
