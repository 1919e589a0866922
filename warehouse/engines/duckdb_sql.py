"""The texts by which DuckDB answers the plans. Pure: text in, text out, nothing is run.

Temporary tables are named here and nowhere else. Positions tell where a source row lies; they join
keys and times alone first, and fetch the payload of the rows found afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from registry.kernel.types import element_type
from warehouse.asof import AsOfPlan
from warehouse.engines.parts import Bounds
from warehouse.history import HistoryColumn
from warehouse.instants import NANOSECOND_RANGE, PER_SECOND, UTC_NAMES, Unit, is_nanoseconds

HISTORY = "fh_history"
TIED = "fh_tied"
SAME = "fh_same"
CODES = "fh_codes"
WANTED = "fh_wanted"

_SQL_TYPES = {
    "bool": "BOOLEAN",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "bytes": "BLOB",
    "timestamp": "TIMESTAMPTZ",
    "decimal": "DECIMAL(38, 9)",
    "uuid": "VARCHAR",
}
_MICROSECOND_RANGE = 9_000_000_000_000_000_000  # DuckDB's timestamps end a little after
_DAY = 86_400 * PER_SECOND["us"]


@dataclass(frozen=True, slots=True)
class Relation:
    """A source as SQL: what to select from, its schema, what tells a row's position, and the zone
    of its times that carry none."""

    text: str
    position: str
    schema: pa.Schema
    zone: str = "UTC"

    def type_of(self, column: str) -> pa.DataType:
        return self.schema.field(column).type


def quote(name: str) -> str:
    """A name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def parquet_relation(files: Sequence[str], schema: pa.Schema, zone: str) -> Relation:
    """Rows of Parquet files; a position is the file's number and the row's number in it."""
    position = "((file_index::BIGINT << 40) + file_row_number)"
    return Relation(parquet_text(files), position, schema, zone)


def parquet_text(files: Sequence[str]) -> str:
    return f"read_parquet([{', '.join(map(literal, files))}])"


def key_names(count: int) -> list[str]:
    return [f"k{place}" for place in range(count)]


def ticks(relation: Relation, column: str, unit: Unit) -> str:
    """int64 ticks since 1970 in UTC of a time column; see `warehouse.instants`."""
    arrow, name = relation.type_of(column), quote(column)
    local = relation.zone not in UTC_NAMES and getattr(arrow, "tz", None) is None
    if is_nanoseconds(arrow):
        if not local:
            return f"epoch_ns({name})"
        whole = _from_zone(relation.zone, f"make_timestamp(epoch_ns({name}) // 1000)")
        return f"(epoch_us({whole}) * 1000 + epoch_ns({name}) % 1000)"
    if local:
        return _scaled(f"epoch_us({_from_zone(relation.zone, name)})", unit)
    aware = getattr(arrow, "tz", None) is not None
    return _scaled(f"epoch_us({name}::{'TIMESTAMPTZ' if aware else 'TIMESTAMP'})", unit)


def _from_zone(zone: str, naive: str) -> str:
    return f"timezone({literal(zone)}, {naive}::TIMESTAMP)"


def _scaled(micros: str, unit: Unit) -> str:
    if unit == "us":
        return micros
    low, high = NANOSECOND_RANGE
    # Not least and greatest: DuckDB's leave nulls out, and would give a null time a moment.
    within = f"CASE WHEN {micros} < {low} THEN {low} WHEN {micros} > {high} THEN {high}"
    return f"({within} ELSE {micros} END * 1000)"


def key_expression(key: HistoryColumn, arrow: pa.DataType) -> str:
    """A key column as one type for both sides: whole numbers are BIGINT whatever their width."""
    name = quote(key.source_column)
    if key.dtype in ("int32", "int64"):
        if pa.types.is_floating(arrow):
            return f"CASE WHEN {name} = floor({name}) THEN TRY_CAST({name} AS BIGINT) END"
        return f"TRY_CAST({name} AS BIGINT)"
    return f"CAST({name} AS {sql_type(key.dtype)})"


def value_expression(column: HistoryColumn, relation: Relation, name: str) -> str:
    """A feature as its declared type; `name` is what its source column is called here."""
    arrow = relation.type_of(column.source_column)
    if column.dtype in ("json", "map", "struct", "string") and pa.types.is_nested(arrow):
        return f"CAST(to_json({name}) AS VARCHAR)"
    if column.dtype == "timestamp" and _has_no_zone(arrow):
        return _from_zone(relation.zone, name)
    return f"CAST({name} AS {sql_type(column.dtype)})"


def _has_no_zone(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_date(arrow) or (pa.types.is_timestamp(arrow) and arrow.tz is None))


def sql_type(dtype: str) -> str:
    """The SQL type that carries a feature type."""
    inner = element_type(dtype)
    return f"{sql_type(inner)}[]" if inner else _SQL_TYPES.get(dtype, "VARCHAR")


def scan(plan: AsOfPlan, relation: Relation, bounds: Bounds) -> str:
    """The history rows that some spine row may take: code, event, pos, and created where known.

    Codes come from the table of codes, or are the one integer key less its least value.
    """
    columns = [f"{_code(plan, bounds)} AS code", "event", "pos"]
    columns += ["created"] if plan.history.created else []
    joined = "" if bounds.least is not None else f" JOIN {CODES} c ON {_coded(plan)}"
    kept = [f"event <= {bounds.latest}"]
    kept += [f"created <= {bounds.latest}"] if plan.late_rows else []
    kept += [f"event >= {bounds.earliest}"] if bounds.earliest is not None else []
    if bounds.least is not None and plan.history.keys:
        kept.append(f"k0 BETWEEN {bounds.least} AND {bounds.greatest}")
    rows = _history(plan, relation, _coarse(plan, relation, bounds))
    return f"SELECT {', '.join(columns)} FROM {rows} h{joined} WHERE {' AND '.join(kept)}"


def _code(plan: AsOfPlan, bounds: Bounds) -> str:
    if not plan.history.keys:
        return "0"
    if bounds.least is None:
        return "c.code"
    # Not the subtraction alone: keys outside are not yet left out when it is made, and overflow.
    inside = f"k0 BETWEEN {bounds.least} AND {bounds.greatest}"
    return f"(CASE WHEN {inside} THEN k0 - ({bounds.least}) END)"


def _coded(plan: AsOfPlan) -> str:
    return _equal("h", "c", ", ".join(key_names(len(plan.history.keys))))


def _coarse(plan: AsOfPlan, relation: Relation, bounds: Bounds) -> str:
    """Bounds on the event column itself, a day too wide, by which files and row groups are left
    unread; nothing when the column is not of whole micro- or milliseconds."""
    arrow, name = relation.type_of(plan.history.event), quote(plan.history.event)
    if not pa.types.is_timestamp(arrow) or is_nanoseconds(arrow):
        return ""
    kind = "TIMESTAMP" if arrow.tz is None else "TIMESTAMPTZ"
    limits = [("<=", bounds.latest, _DAY)]
    limits += [(">=", bounds.earliest, -_DAY)] if bounds.earliest is not None else []
    found = []
    for sign, tick, margin in limits:
        micros = tick // (PER_SECOND[plan.unit] // PER_SECOND["us"]) + margin
        if abs(micros) < _MICROSECOND_RANGE:
            instant = f"make_timestamp({micros})"
            instant = instant if arrow.tz is None else f"timezone('UTC', {instant})"
            found.append(f"{name} {sign} {instant}::{kind}")
    return " AND ".join(found)


def _history(plan: AsOfPlan, relation: Relation, where: str = "") -> str:
    """A subquery of keys, times and position of each row that can be found at all."""
    history = plan.history
    event = ticks(relation, history.event, plan.unit)
    keys = [
        f"{key_expression(key, relation.type_of(key.source_column))} AS k{place}"
        for place, key in enumerate(history.keys)
    ]
    created = ticks(relation, history.created, plan.unit) if history.created else event
    columns = ", ".join([f"{relation.position} AS pos", *keys, f"{event} AS event"])
    found = [f"k{place} IS NOT NULL" for place in range(len(keys))]
    found.append("event IS NOT NULL")
    if plan.created_until is not None:
        found.append(f"created <= {plan.created_until}")
    return (
        f"(SELECT * FROM (SELECT {columns}, coalesce({created}, {event}) AS created "
        f"FROM {relation.text}{f' WHERE {where}' if where else ''}) WHERE {' AND '.join(found)})"
    )


def make_history(plan: AsOfPlan, relation: Relation) -> str:
    """Keys, times and position of each row that can be found at all."""
    return f"CREATE TEMP TABLE {HISTORY} AS SELECT * FROM {_history(plan, relation)}"


def make_tied_history(plan: AsOfPlan, relation: Relation, bounds: Bounds) -> str:
    """The same for the rows alone whose code and times are in the table of ties."""
    joined = "" if bounds.least is not None else f" JOIN {CODES} c ON {_coded(plan)}"
    return (
        f"CREATE TEMP TABLE {HISTORY} AS SELECT h.* FROM {_history(plan, relation)} h{joined} "
        f"JOIN {SAME} s ON s.code = {_code(plan, bounds)} AND s.event = h.event "
        "AND s.created = h.created"
    )


def winners_of_ties(plan: AsOfPlan, bounds: Bounds) -> str:
    """The one row left of each tie: its slot and position."""
    joined = "" if bounds.least is not None else f" JOIN {CODES} c ON {_coded(plan)}"
    return (
        f"SELECT s.slot, h.pos FROM {HISTORY} h{joined} JOIN {SAME} s "
        f"ON s.code = {_code(plan, bounds)} AND s.event = h.event AND s.created = h.created"
    )


def first_event(plan: AsOfPlan, relation: Relation) -> str:
    """The ticks of the oldest event of all, by the files' statistics where they have them."""
    name = quote(plan.history.event)
    event = ticks(relation, plan.history.event, plan.unit)
    return f"SELECT {event} FROM (SELECT min({name}) AS {name} FROM {relation.text})"


def find_tie(plan: AsOfPlan) -> str:
    """One row when any two rows share key, event and created time."""
    same = _same(plan)
    return f"SELECT 1 FROM {HISTORY} GROUP BY {same} HAVING count(*) > 1 LIMIT 1"


def keep_tied(plan: AsOfPlan, relation: Relation) -> str:
    """Rows that share key and times with another, ranked by the tie breaker, then by features."""
    same = _same(plan)
    ranked = list(plan.history.features)
    if plan.history.tie_breaker:
        ranked.append(HistoryColumn("", plan.history.tie_breaker, ""))
    payload, values = _payload(relation, ranked)
    if plan.history.tie_breaker:
        values = [f"p.c{len(ranked) - 1}", *values[:-1]]
    order = ", ".join([*(f"{value} DESC NULLS LAST" for value in values), "h.pos DESC"])
    return (
        f"CREATE TEMP TABLE {TIED} AS SELECT h.pos, row_number() OVER "
        f"(PARTITION BY {_prefixed('h', same)} ORDER BY {order}) AS place FROM {HISTORY} h "
        f"JOIN (SELECT {same} FROM {HISTORY} GROUP BY {same} HAVING count(*) > 1) t "
        f"ON {_equal('h', 't', same)} JOIN {payload} p ON p.pos = h.pos"
    )


def drop_losers() -> str:
    return f"DELETE FROM {HISTORY} WHERE pos IN (SELECT pos FROM {TIED} WHERE place > 1)"


def fetch(relation: Relation, columns: Sequence[HistoryColumn]) -> str:
    """The payload of the wanted positions, each with its slot: columns slot, v0, v1, …"""
    payload, values = _payload(relation, columns)
    named = [f"{value} AS v{place}" for place, value in enumerate(values)]
    chosen = ", ".join(["w.slot", *named])
    return f"SELECT {chosen} FROM {payload} p JOIN {WANTED} w ON p.pos = w.pos"


def newest(plan: AsOfPlan, since: int | None, until: int) -> str:
    """The newest row per key of those that became visible in (since, until], as wanted."""
    keys = ", ".join(key_names(len(plan.history.keys)))
    window = [f"greatest(event, created) <= {until}"]
    window += [f"greatest(event, created) > {since}"] if since is not None else []
    groups = f"GROUP BY {keys}" if keys else "HAVING count(*) > 0"
    return (
        f"CREATE TEMP TABLE {WANTED} AS SELECT unnest(found) FROM (SELECT "
        f"arg_max({{'pos': pos, 'event': event, 'created': created}}, {_age()}) AS found "
        f"FROM {HISTORY} WHERE {' AND '.join(window)} {groups})"
    )


def fetch_newest(relation: Relation, columns: Sequence[HistoryColumn], keys: int) -> str:
    """Columns and ticks of the wanted rows: v0, v1, …, event, created; by the first `keys`."""
    payload, values = _payload(relation, columns)
    named = [f"{value} AS v{place}" for place, value in enumerate(values)]
    chosen = ", ".join([*named, "w.event", "w.created"])
    order = ", ".join(f"v{place}" for place in range(keys)) or "1"
    return f"SELECT {chosen} FROM {payload} p JOIN {WANTED} w ON p.pos = w.pos ORDER BY {order}"


def _payload(relation: Relation, columns: Sequence[HistoryColumn]) -> tuple[str, list[str]]:
    """A subquery of positions and raw columns, and each column's value as an expression.

    Columns are renamed, since a source may call its own anything, `pos` too. Casts stand outside,
    so that only rows that are wanted are cast.
    """
    raw = [f"{quote(column.source_column)} AS c{place}" for place, column in enumerate(columns)]
    chosen = ", ".join([f"{relation.position} AS pos", *raw])
    values = [value_expression(c, relation, f"p.c{place}") for place, c in enumerate(columns)]
    return f"(SELECT {chosen} FROM {relation.text})", values


def _age() -> str:
    """(event, created) as one number that compares like the pair. Ticks fit 64 bits, so a pair
    fits 128."""
    return "(event::HUGEINT * 18446744073709551616 + created)"


def _same(plan: AsOfPlan) -> str:
    return ", ".join([*key_names(len(plan.history.keys)), "event", "created"])


def _prefixed(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


def _equal(left: str, right: str, columns: str) -> str:
    return " AND ".join(f"{left}.{c} = {right}.{c}" for c in columns.split(", "))
