"""Turns a built table into what its manifest says: columns, profiles, parts, findings. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from registry.core.findings import Finding
from training import checks
from training.assemble import Assembled
from training.checks import Limits
from training.coverage import Coverage, measure
from training.drift import check_drift
from training.manifest import Column, PartFacts, Role
from training.maturity import known_at
from training.recipe import Recipe
from training.spec import TrainingSpec, lifecycle_notices
from training.splits import Splits, rows_of
from warehouse.profiles import ColumnProfile, profile_table


@dataclass(frozen=True, slots=True)
class Description:
    """All that is said of a built table."""

    columns: tuple[Column, ...]
    profiles: dict[str, ColumnProfile]
    parts: tuple[PartFacts, ...]
    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]


def describe(assembled: Assembled, recipe: Recipe, limits: Limits, now: datetime) -> Description:
    """Profile and check a built table."""
    table, spec = assembled.table, recipe.spec
    profiles = profile_table(table)
    names = [column.column for column in recipe.columns if column.column is not None]
    found = list(lifecycle_notices(recipe.features, spec.allow_deprecated))
    coverage = tuple(measure(answer, table) for answer in assembled.answers)
    found += checks.check_coverage(coverage, limits)
    found += checks.check_constants({name: profiles[name] for name in names})
    found += checks.check_future(table.column(spec.time_column), now, spec.time_zone)
    if spec.label is not None:
        found += checks.check_leakage(table, spec.label, names, limits)
        found += _label_known(table, spec, spec.label)
    parts: tuple[PartFacts, ...] = ()
    if spec.splits is not None:
        parts, more = _describe_parts(table, recipe, spec.splits, names)
        found += [finding for finding in more if finding.subject not in _constant(found)]
    return Description(describe_columns(table, recipe), profiles, parts, tuple(found), coverage)


def _label_known(table: pa.Table, spec: TrainingSpec, label: str) -> Iterable[Finding]:
    if spec.maturity is None:
        return ()
    known = known_at(table, spec.maturity, spec.time_column, spec.time_zone)
    times = table.column(spec.time_column)
    return checks.check_label_known(known, times, label, spec.time_zone)


def describe_columns(table: pa.Table, recipe: Recipe) -> tuple[Column, ...]:
    """Each column's role, type and, for a feature, where it comes from."""
    features = {feature.column: feature for feature in recipe.columns}
    columns = []
    for field in table.schema:
        feature = features.get(field.name)
        if feature is None:
            columns.append(Column(field.name, _role(field.name, recipe), str(field.type)))
            continue
        facts = feature.facts
        columns.append(
            Column(
                field.name,
                "feature",
                str(field.type),
                feature.ref,
                facts.meaning,
                facts.state,
                facts.owner,
            )
        )
    return tuple(columns)


def _describe_parts(
    table: pa.Table, recipe: Recipe, splits: Splits, features: list[str]
) -> tuple[tuple[PartFacts, ...], list[Finding]]:
    spec = recipe.spec
    cut = {
        name: rows_of(table, name, spec.time_column, splits, spec.time_zone)
        for name in splits.names
    }
    profiles = {name: profile_table(part.select(features)) for name, part in cut.items()}
    found = [f for name, p in profiles.items() for f in checks.check_constants(p, name)]
    first, last = splits.names[0], splits.names[-1]
    if first != last:
        found += check_drift(profiles[first], profiles[last], (first, last))
    return tuple(PartFacts(name, part.num_rows) for name, part in cut.items()), found


def _constant(found: Iterable[Finding]) -> set[str]:
    """Columns already said to be constant: not said again for each part."""
    return {f.subject for f in found if f.rule in ("all-null", "constant")}


def _role(name: str, recipe: Recipe) -> Role:
    keys = {key.name for view in recipe.views for key in view.join_keys}
    if name == recipe.spec.time_column:
        return "time"
    if name == recipe.spec.label:
        return "label"
    return "key" if name in keys else "spine"
