"""What a query reads: columns, wanted rows, tables and joins, keys and times. Plain text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.duplicates.shapes import Condition, Item, Join, View, item_name
from bench.duplicates.spelled import condition_text
from bench.duplicates.style import Inapplicable, Style, entry
from bench.duplicates.tables import COPIES, HALVES, RENAMED

_COLUMN = re.compile(r"\[(\+?)(\w+)\]")
_UNIT_DAYS: Final = {"day": 1, "week": 7}
_HOURS: Final = {"HOUR": 1, "DAY": 24, "WEEK": 168}
_KNOWN_AFTER: Final = {
    "day": (1, "DAY"), "week": (7, "DAY"), "month": (1, "MONTH"), "rolling": (1, "DAY"),
    "so_far": (1, "DAY"),
}  # fmt: skip
_TEXT_FORMATS: Final = {"day": "%Y-%m-%d", "month": "%Y-%m-01"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A view, how it is written, and the names of its features where they differ."""

    view: View
    style: Style
    names: Mapping[str, str]

    # -- columns and conditions

    def columns(self, text: str) -> str:
        """Replace `[column]` by the column's name in the table that is read."""

        def name(match: re.Match[str]) -> str:
            joined, column = match.groups()
            if joined and self.semi():
                raise Inapplicable
            if joined:
                return f"{self.joined_name()}.{column}"
            return self.prefix() + self.renamed().get(column, column)

        return _COLUMN.sub(name, text)

    def renamed(self) -> Mapping[str, str]:
        if not self.style.has("renamed_table"):
            return {}
        return entry(RENAMED, self.view.stream.table)[1]

    def prefix(self) -> str:
        if self.style.has("alias"):
            return "f."
        joined = self.view.join is not None and not self.style.has("semi_join")
        return f"{self.table()}." if joined else ""

    def joined_name(self) -> str:
        assert self.view.join is not None
        return "p" if self.style.has("alias") else self.view.join.table

    def semi(self) -> bool:
        """Whether the joined table is only asked whether it has a row."""
        return self.style.has("semi_join", "exists")

    def condition(self, condition: Condition) -> str:
        return self.columns(condition_text(condition, self.style))

    def conditions(self) -> list[str]:
        found = [*self.view.stream.conditions, *self.view.conditions]
        said = [self.condition(c) for c in found]
        if self.view.join is not None:
            said += self.joined_conditions(self.view.join)
        said += [f"{self.columns(f'[{key}]')} IS NOT NULL" for key in self.nullable_keys()]
        return said[::-1] if self.style.has("commute") else said

    def joined_conditions(self, join: Join) -> list[str]:
        if self.semi():
            return [self.asked_of(join)]
        said = [self.condition(c) for c in join.conditions]
        left, right = self.columns(f"[{join.on}]"), self.columns(f"[+{join.on}]")
        if self.style.has("comma_join"):
            return [f"{left} = {right}", *said]
        if self.style.has("left_join_filtered"):
            return [f"{right} IS NOT NULL", *said]
        return said

    def asked_of(self, join: Join) -> str:
        inner = [_bare(condition_text(c, self.style)) for c in join.conditions]
        column = self.columns(f"[{join.on}]")
        if self.style.has("exists"):
            asked = " AND ".join([f"held.{join.on} = {column}", *(f"held.{c}" for c in inner)])
            return f"EXISTS (SELECT 1 FROM {join.table} AS held WHERE {asked})"
        where = f" WHERE {' AND '.join(inner)}" if inner else ""
        return f"{column} IN (SELECT {join.on} FROM {join.table}{where})"

    def nullable_keys(self) -> list[str]:
        flights = self.view.stream.table == "flights"
        return [
            k for k in self.view.entity if k == "tailnum" and flights and self.view.join is None
        ]

    def where(self) -> str:
        found = self.conditions()
        return f" WHERE {' AND '.join(found)}" if found else ""

    # -- tables

    def table(self) -> str:
        name = self.view.stream.table
        if self.style.has("copied_table"):
            return entry(COPIES, name)
        if self.style.has("renamed_table"):
            return entry(RENAMED, name)[0]
        return name

    def source(self) -> str:
        name = self.table()
        alias = " AS f" if self.style.has("alias") else ""
        if self.style.has("union_of_halves"):
            return self._halves(name)
        join = self.view.join
        if join is None or self.semi():
            return name + alias
        return self._joined(name, alias, join)

    def _joined(self, name: str, alias: str, join: Join) -> str:
        if self.style.has("join_order"):
            return f"{join.table} INNER JOIN {name} USING ({join.on})"
        if self.style.has("comma_join"):
            return f"{name}, {join.table}"
        kind = "LEFT JOIN" if self.style.has("left_join_filtered") else "JOIN"
        other = f"{join.table} AS p" if self.style.has("alias") else join.table
        left, right = self.columns(f"[{join.on}]"), self.columns(f"[+{join.on}]")
        return f"{name}{alias} {kind} {other} ON {left} = {right}"

    def _halves(self, name: str) -> str:
        if self.view.join is not None:
            raise Inapplicable
        column, cut = entry(HALVES, self.view.stream.table)
        column = self.columns(column)
        first = f"SELECT * FROM {name} WHERE {column} <= {cut}"
        return f"({first} UNION ALL SELECT * FROM {name} WHERE {column} > {cut}) AS halves"

    def keys(self) -> list[str]:
        return [self.columns(f"[{self.view.stream.column_of(key)}]") for key in self.view.entity]

    def named_keys(self) -> list[str]:
        pairs = zip(self.keys(), self.view.entity, strict=True)
        return [c if c.split(".")[-1] == k and "." not in c else f"{c} AS {k}" for c, k in pairs]

    # -- times

    def bucket(self, unit: str) -> str:
        time = self.columns(f"[{self.view.stream.time}]")
        if self.style.has("text_dates"):
            return f"CAST(strftime({time}, '{entry(_TEXT_FORMATS, unit)}') AS TIMESTAMPTZ)"
        if self.style.has("cast_to_date"):
            if unit != "day":
                raise Inapplicable
            return f"CAST(CAST({time} AS DATE) AS TIMESTAMPTZ)"
        if not self.style.has("date_functions"):
            return f"date_trunc('{unit}', {time})"
        length = "1 MONTH" if unit == "month" else f"{_UNIT_DAYS[unit]} DAY"
        return f"time_bucket(INTERVAL {length}, {time})"

    def length(self, amount: int, unit: str) -> str:
        if self.style.has("interval_in_hours"):
            return f"INTERVAL {amount * entry(_HOURS, unit)} HOUR"
        return f"INTERVAL {amount} {unit}"

    def known(self, start: str) -> str:
        horizon = self.view.horizon
        after = _KNOWN_AFTER.get(horizon)
        text = f"{start} + {self.length(*after)}" if after is not None else start
        return f"{text} + {self.style.later}" if self.style.later else text

    # -- names

    def outputs(self) -> list[str]:
        return [*self.view.entity, "known_at", *(self.name(i) for i in self.view.items)]

    def name(self, item: Item) -> str:
        plain = item_name(self.view, item)
        return self.names.get(plain, plain)

    def finished(self, item: Item, text: str) -> str:
        template = self.style.finish.get(item_name(self.view, item))
        return f"{template.format(text) if template else text} AS {self.name(item)}"


def _bare(text: str) -> str:
    return _COLUMN.sub(r"\2", text)
