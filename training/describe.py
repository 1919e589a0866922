"""Turns built rows, batch by batch, into what a manifest says: columns, profiles, parts, findings.
Reads and writes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from registry.core.findings import Finding
from training import checks
from training.assemble import Assembled
from training.checks import Limits
from training.coverage import Coverage, CoverageCount
from training.drift import check_drift
from training.manifest import Column, PartFacts, Role
from training.maturity import known_at
from training.recipe import Recipe
from training.spec import lifecycle_notices
from training.splits import assign_parts
from warehouse.content import ContentHash
from warehouse.profiles import ColumnProfile, profile_table

Profiles = dict[str, ColumnProfile]
_IN_NONE = ""


@dataclass(frozen=True, slots=True)
class Description:
    """All that is said of a built set."""

    content_hash: str
    rows: int
    columns: tuple[Column, ...]
    profiles: Profiles
    parts: tuple[PartFacts, ...]
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]


class Describing:
    """Looks at the batches of a set as they are built. Memory: sketches, keys and a sample.

    `rows` is how many there will be, for an even sample.
    """

    def __init__(self, recipe: Recipe, limits: Limits, now: datetime, rows: int) -> None:
        self._recipe, self._limits, self._now = recipe, limits, now
        self._names = [column.column for column in recipe.columns if column.column is not None]
        self._coverage = {
            view.key: CoverageCount(view.key, tuple(key.name for key in view.join_keys))
            for view in recipe.views
        }
        self._content: ContentHash | None = None
        self._schema = pa.schema([])
        self._profiles: Profiles = {}
        self._parts: dict[str, Profiles] = {}
        self._part_rows: dict[str, int] = {}
        self._future = self._early = 0
        self._sample = checks.EvenSample(rows)

    def add(self, made: Assembled) -> None:
        """Look at the next rows."""
        table, spec = made.table, self._recipe.spec
        if self._content is None:
            self._content, self._schema = ContentHash(table.schema), table.schema
        for batch in table.to_batches():
            self._content.update(batch)
        for answer in made.answers:
            self._coverage[answer.view].add(answer, table)
        self._profile(table)
        times = table.column(spec.time_column)
        self._future += checks.count_future(times, self._now, spec.time_zone)
        if spec.label is not None:
            self._sample.add(table.select([spec.label, *self._names]))
            if spec.maturity is not None:
                known = known_at(table, spec.maturity, spec.time_column, spec.time_zone)
                self._early += checks.count_early(known, times, spec.time_zone)

    def done(self) -> Description:
        """What there is to say. Raises `ValueError` when no batch was added."""
        if self._content is None:
            raise ValueError("no rows were described")
        return Description(
            content_hash=self._content.digest(),
            rows=self._content.rows,
            columns=describe_columns(self._schema, self._recipe),
            profiles=self._profiles,
            parts=tuple(PartFacts(name, rows) for name, rows in self._part_rows.items()),
            findings=tuple(self._findings()),
            coverage=tuple(count.done() for count in self._coverage.values()),
        )

    def _profile(self, table: pa.Table) -> None:
        """Each part's features once; their profile in all rows is that of the parts together."""
        splits, spec = self._recipe.spec.splits, self._recipe.spec
        if splits is None:
            self._profiles = _merged(self._profiles, profile_table(table))
            return
        others = [name for name in table.column_names if name not in self._names]
        found = profile_table(table.select(others))
        parts = assign_parts(table, spec.time_column, splits, spec.time_zone)
        features = table.select(self._names)
        whole: Profiles = {}
        for number, name in enumerate((*splits.names, _IN_NONE)):
            wanted = pa.array(parts == (number if name else -1))
            rows = features.filter(wanted)
            profiles = profile_table(rows)
            whole = _merged(whole, profiles)
            if name:
                self._part_rows[name] = self._part_rows.get(name, 0) + wanted.true_count
                self._parts[name] = _merged(self._parts.get(name, {}), profiles)
        found |= whole
        ordered = {name: found[name] for name in table.column_names}
        self._profiles = _merged(self._profiles, ordered)

    def _findings(self) -> Iterator[Finding]:
        spec, limits = self._recipe.spec, self._limits
        yield from lifecycle_notices(self._recipe.features, spec.allow_deprecated)
        yield from checks.check_coverage((c.done() for c in self._coverage.values()), limits)
        constant = list(checks.check_constants({n: self._profiles[n] for n in self._names}))
        yield from constant
        rows = self._content.rows if self._content else 0
        yield from checks.check_future(self._future, rows)
        if spec.label is not None:
            sample = self._sample.table()
            yield from checks.check_leakage(sample, spec.label, self._names, limits)
            yield from checks.check_label_known(self._early, rows, spec.label)
        said = {finding.subject for finding in constant}
        yield from (f for f in self._of_parts() if f.subject not in said)

    def _of_parts(self) -> Iterable[Finding]:
        for name, profiles in self._parts.items():
            yield from checks.check_constants(profiles, name)
        names = tuple(self._parts)
        if len(names) > 1:
            first, last = names[0], names[-1]
            yield from check_drift(self._parts[first], self._parts[last], (first, last))


def _merged(left: Profiles, right: Profiles) -> Profiles:
    if not left:
        return right
    return {name: left[name].merge(profile) for name, profile in right.items()}


def describe_columns(schema: pa.Schema, recipe: Recipe) -> tuple[Column, ...]:
    """Each column's role, type and, for a feature, where it comes from."""
    features = {feature.column: feature for feature in recipe.columns}
    return tuple(_column(field, features.get(field.name), recipe) for field in schema)


def _column(field: pa.Field, feature: Any, recipe: Recipe) -> Column:
    if feature is None:
        return Column(field.name, _role(field.name, recipe), str(field.type))
    facts = feature.facts
    return Column(
        field.name,
        "feature",
        str(field.type),
        feature.ref,
        facts.meaning,
        facts.state,
        facts.owner,
    )


def _role(name: str, recipe: Recipe) -> Role:
    keys = {key.name for view in recipe.views for key in view.join_keys}
    if name == recipe.spec.time_column:
        return "time"
    if name == recipe.spec.label:
        return "label"
    return "key" if name in keys else "spine"
