"""Says which labels hold, by running both queries on the real data. Knows nothing of the detector.

Rules. A *duplicate* must give the rows of what it copies, each value within 1e-9 of it. A *near*
copy must give what its change makes of them, and differ in at least one row of a hundred (or in
type). An *honest* feature must not coincide with any registered or earlier honest feature of its
entity at random moments: it is dropped when at least 98 of 100 values agree, agreement by chance
taken off, or are one affine function or rounding of the other's. Constants and the like agree by
chance, so they stay. What does not hold is dropped from the corpus and counted by family.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd

from bench.duplicates.corpus import PANDAS, Case, CaseView, Known
from bench.duplicates.families import LABELS
from bench.duplicates.shapes import View, item_name

POINTS: Final = 1200
AGREEMENT: Final = 0.98
CLOSE: Final = 1e-9
FROM, UNTIL = "2013-02-01", "2013-11-27"


@dataclass(slots=True)
class Verdicts:
    """Which cases hold, and why the others do not."""

    kept: list[CaseView] = field(default_factory=list)
    dropped: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, view: CaseView, case: Case, why: str) -> None:
        self.dropped.setdefault(case.family, []).append(f"{view.name}:{case.name}: {why}")


def why_no_copy(
    connection: duckdb.DuckDBPyConnection, known: Known, view: CaseView, case: Case
) -> str:
    """Why a copy is not what its label says; empty where it is."""
    base = case.of.split(":")[1]
    _copy_rows(connection, view, case)
    _original_rows(connection, known)
    if case.family == "recoded":
        return _no_bijection(connection, known.view, base, case)
    rows = _compare(connection, known.view, base, case)
    if rows["rows"] == 0:
        return "no rows"
    if LABELS[case.family] == "duplicate":
        return "" if rows["as_said"] == rows["rows"] else f"{rows['rows'] - rows['as_said']} differ"
    if rows["as_said"] < 0.999 * rows["rows"]:
        return f"{rows['rows'] - rows['as_said']} of {rows['rows']} are not as said"
    later = case.change is not None and case.change.later
    if not later and case.family != "cast_text" and rows["equal"] > 0.99 * rows["rows"]:
        return "the values coincide"
    return ""


def _original_rows(connection: duckdb.DuckDBPyConnection, known: Known) -> None:
    """The registered view's rows as the view `original`; its query runs once."""
    table = f"known_{known.name}"
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {table} AS SELECT DISTINCT * FROM ({known.sql})"
    )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW original AS FROM {table}")


def _copy_rows(connection: duckdb.DuckDBPyConnection, view: CaseView, case: Case) -> None:
    """The copy's rows as the view `copy`; on-demand functions are really run."""
    connection.execute("DROP VIEW IF EXISTS copy")
    if not view.extra:
        connection.execute(f"CREATE TEMP VIEW copy AS {view.sql}")
        return
    frame = connection.sql(view.sql).df()
    frame[case.name] = run_on_demand(case, frame)
    connection.register("copied_rows", frame.drop(columns=list(view.extra)))
    connection.execute("CREATE TEMP VIEW copy AS FROM copied_rows")


def run_on_demand(case: Case, frame: pd.DataFrame) -> Any:
    """The values of a case's Python or pandas function over a frame of its parts."""
    scope: dict[str, Any] = {"pd": pd}
    exec(f"def made(inputs):\n{case.python}", scope)
    if case.family in PANDAS:
        return scope["made"](frame)[case.name].to_numpy()
    parts = {name: frame[name].astype(object).where(frame[name].notna(), None) for name in frame}
    return pd.array(scope["made"](parts)[case.name], dtype="Float64")


def _compare(
    connection: duckdb.DuckDBPyConnection, view: View, base: str, case: Case
) -> Mapping[str, int]:
    """Rows of both, how many are as the change says, and how many are equal."""
    change = case.change
    later = f" + {change.later}" if change is not None and change.later else ""
    wrapped = change.wrap.format(f'o."{base}"') if change is not None else f'o."{base}"'
    keys = " AND ".join(f"o.{key} IS NOT DISTINCT FROM c.{key}" for key in view.entity)
    text = case.dtype == "String"
    copy = f'c."{case.name}"'
    said = _same(wrapped, copy, text)
    equal = "FALSE" if text else _same(f'o."{base}"', copy, text)
    ((rows, as_said, same),) = connection.sql(f"""
        SELECT COUNT(*), COUNT(*) FILTER (WHERE {said}), COUNT(*) FILTER (WHERE {equal})
        FROM original o
        FULL JOIN (SELECT DISTINCT * FROM copy) c
          ON {keys} AND o.known_at{later} = c.known_at""").fetchall()
    return {"rows": rows, "as_said": as_said, "equal": same}


def _same(left: str, right: str, text: bool) -> str:
    if text:
        return f"({left}) IS NOT DISTINCT FROM ({right})"
    a, b = f"CAST(({left}) AS DOUBLE)", f"CAST({right} AS DOUBLE)"
    close = f"abs({a} - {b}) <= {CLOSE} * greatest(1.0, abs({a}))"
    return (
        f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN {a} IS NOT DISTINCT FROM {b} ELSE {close} END"
    )


def _no_bijection(connection: duckdb.DuckDBPyConnection, view: View, base: str, case: Case) -> str:
    keys = ", ".join(view.entity)
    ((one, two, both),) = connection.sql(f"""
        SELECT COUNT(DISTINCT o."{base}"), COUNT(DISTINCT c."{case.name}"),
               COUNT(DISTINCT (o."{base}", c."{case.name}"))
        FROM original o JOIN copy c USING ({keys}, known_at)""").fetchall()
    return "" if one == two == both and one > 1 else f"no bijection: {one}, {two}, {both}"


def points(connection: duckdb.DuckDBPyConnection, entity: Sequence[str]) -> str:
    """A table of random keys and moments of an entity, named; made at the first call."""
    name = "points_" + "_".join(entity)
    keys = ", ".join(entity)
    connection.execute(f"""
        CREATE TEMP TABLE IF NOT EXISTS {name} AS
        SELECT row_number() OVER () AS place, {keys}, asked_at FROM (
          SELECT {keys}, TIMESTAMPTZ '{FROM}' + to_seconds(
                   hash(flight_id * 7919) % date_diff(
                     'second', TIMESTAMPTZ '{FROM}', TIMESTAMPTZ '{UNTIL}')) AS asked_at
          FROM flights WHERE tailnum IS NOT NULL
          ORDER BY hash(flight_id) LIMIT {POINTS})""")
    return name


def values_at_points(
    connection: duckdb.DuckDBPyConnection, entity: Sequence[str], sql: str, names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Each column as of every point: float64 of shape (POINTS,), NaN for null; texts are hashed."""
    table = points(connection, entity)
    on = " AND ".join(f"p.{key} = q.{key}" for key in entity)
    frame = connection.sql(f"""
        SELECT {", ".join(f'q."{name}"' for name in names)}
        FROM {table} p ASOF LEFT JOIN (SELECT DISTINCT * FROM ({sql})) q
          ON {on} AND p.asked_at >= q.known_at ORDER BY p.place""").df()
    return {name: _numbers(frame[name]) for name in frame}


def _numbers(column: "pd.Series[Any]") -> np.ndarray:
    if column.dtype == object:
        hashed = pd.util.hash_array(column.fillna("").astype(str).to_numpy()) % (1 << 40)
        return np.where(column.isna(), np.nan, hashed.astype(float))
    return np.asarray(column.astype("float64").to_numpy(), dtype=float)


class Gallery:
    """Values of accepted features of one entity, to compare a new one with all of them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: list[np.ndarray] = []

    def add(self, name: str, values: np.ndarray) -> None:
        self.names.append(name)
        self.rows.append(values)

    def coincides(self, values: np.ndarray) -> str:
        """The name of a feature with the same values, and how; empty where there is none."""
        if not self.rows or np.isnan(values).all():
            return ""
        known = np.stack(self.rows)
        nulls, theirs = np.isnan(values), np.isnan(known)
        either = ~(nulls & theirs)
        with np.errstate(invalid="ignore"):
            equal = np.abs(known - values) <= CLOSE * np.maximum(1.0, np.abs(values))
        shares = (equal & either).sum(1) / np.maximum(either.sum(1), 1)
        for place in np.flatnonzero(shares >= AGREEMENT):
            if _beyond_chance(known[place], values, float(shares[place])):
                return f"agrees with {self.names[place]}"
        both = ~nulls & ~theirs
        for place in np.flatnonzero(both.sum(1) >= 0.9 * np.maximum(either.sum(1), 1)):
            how = function_of(known[place][both[place]], values[both[place]])
            if how:
                return f"is {how} of {self.names[place]}"
        return ""


def _beyond_chance(one: np.ndarray, other: np.ndarray, share: float) -> bool:
    """Cohen's kappa of at least 0.9, nulls counted as a value."""
    a, b = np.nan_to_num(one, nan=-9.9e99), np.nan_to_num(other, nan=-9.9e99)
    left, right = (dict(zip(*np.unique(x, return_counts=True), strict=True)) for x in (a, b))
    chance = sum(n * right.get(v, 0) for v, n in left.items()) / len(a) ** 2
    return bool(chance < 1 and (share - chance) / (1 - chance) >= 0.9)


def function_of(one: np.ndarray, other: np.ndarray) -> str:
    """What function of `one` 98 of 100 values of `other` are; empty for none that counts."""
    if len(one) < 50 or len(np.unique(one)) < 8 or len(np.unique(other)) < 8:
        return ""
    if abs(np.corrcoef(one, other)[0, 1]) < 0.99:
        return ""
    for digits in (0, 1, 2):
        for a, b in ((one, other), (other, one)):
            if np.mean(np.abs(np.round(a, digits) - b) <= CLOSE) >= AGREEMENT:
                return "a rounding"
    chance = np.random.default_rng(5)
    for _ in range(20):
        i, j = chance.integers(len(one), size=2)
        if one[i] == one[j]:
            continue
        slope = (other[j] - other[i]) / (one[j] - one[i])
        fit = other[i] + slope * (one - one[i])
        if np.mean(np.abs(fit - other) <= 1e-7 * np.ptp(other)) >= AGREEMENT and slope != 0:
            return "an affine function"
    return ""


def verified(
    connection: duckdb.DuckDBPyConnection, known: Sequence[Known], views: Sequence[CaseView]
) -> Verdicts:
    """The views with only the cases whose labels hold."""
    verdicts = Verdicts()
    by_name = {k.name: k for k in known}
    galleries = known_galleries(connection, known)
    for view in views:
        if view.copies:
            case = view.cases[0]
            why = why_no_copy(connection, by_name[case.of.split(":")[0]], view, case)
            if why:
                verdicts.drop(view, case, why)
            else:
                verdicts.kept.append(view)
        else:
            _verify_honest(
                connection, galleries.setdefault(view.view.entity, Gallery()), view, verdicts
            )
    return verdicts


def known_galleries(
    connection: duckdb.DuckDBPyConnection, known: Sequence[Known]
) -> dict[tuple[str, ...], Gallery]:
    """The registered features' values, by entity."""
    galleries: dict[tuple[str, ...], Gallery] = {}
    for k in known:
        gallery = galleries.setdefault(k.view.entity, Gallery())
        names = [item_name(k.view, item) for item in k.view.items]
        for name, values in values_at_points(connection, k.view.entity, k.sql, names).items():
            gallery.add(f"{k.name}:{name}", values)
    return galleries


def case_values(connection: duckdb.DuckDBPyConnection, view: CaseView) -> Mapping[str, np.ndarray]:
    """The values of a proposed view's features at the points of its entity."""
    _copy_rows(connection, view, view.cases[0])
    names = [case.name for case in view.cases]
    return values_at_points(connection, view.view.entity, "FROM copy", names)


def equals_of_known(
    connection: duckdb.DuckDBPyConnection, known: Sequence[Known]
) -> dict[str, set[str]]:
    """Registered features that coincide with others, each with all of its kind (itself too)."""
    groups: dict[str, set[str]] = {}
    for gallery in known_galleries(connection, known).values():
        for place, name in enumerate(gallery.names):
            for other, row in zip(gallery.names[:place], gallery.rows[:place], strict=True):
                alone = Gallery()
                alone.add(other, row)
                if alone.coincides(gallery.rows[place]):
                    groups.setdefault(name, {name}).add(other)
                    groups.setdefault(other, {other}).add(name)
    return groups


def _verify_honest(
    connection: duckdb.DuckDBPyConnection, gallery: Gallery, view: CaseView, verdicts: Verdicts
) -> None:
    names = [case.name for case in view.cases]
    found = values_at_points(connection, view.view.entity, view.sql, names)
    kept = []
    for case in view.cases:
        why = gallery.coincides(found[case.name])
        if why:
            verdicts.drop(view, case, why)
            continue
        gallery.add(f"{view.name}:{case.name}", found[case.name])
        kept.append(case)
    if kept:
        verdicts.kept.append(replace(view, cases=tuple(kept)))
