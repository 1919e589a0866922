"""Holds a training set to its expectations; says what a policy makes of failures. Writes nothing.

They are those of its views, on snapshots of their sources and on built columns, and its spec's own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Literal

from registry.core.definitions import Expectation
from registry.core.findings import Finding
from registry.core.published import PublishedView
from registry.kernel.canonical import canonical_json
from registry.kernel.errors import Refused
from training.manifest import ViewQuality
from training.recipe import Recipe
from training.sources import KeptSource
from warehouse.history import history_of
from warehouse.quality_report import arguments_of

QualityPolicy = Literal["warn", "quarantine", "block", "off"]
POLICIES: tuple[QualityPolicy, ...] = ("warn", "quarantine", "block", "off")

_VALUES = "expect_column_values_"
_NOT_OF_SETS = frozenset({f"{_VALUES}to_be_unique", f"{_VALUES}to_not_be_null"})


def check_sources(
    views: Iterable[PublishedView], kept: Iterable[KeptSource]
) -> Iterator[ViewQuality]:
    """Each view's expectations on its source's snapshot, columns called as in the view."""
    from warehouse.quality import check_file  # takes seconds to load

    files = {one.source: one.snapshot.path for one in kept}
    for view in views:
        if view.expectations:
            history = history_of(view)
            names = {c.source_column: c.name for c in (*history.keys, *history.features)}
            report = check_file(files[history.source], view.expectations, names)
            yield ViewQuality(view.key, report)


def check_built(data: Path, recipe: Recipe) -> Iterator[ViewQuality]:
    """The spec's expectations, and those of its views that are about single values of a feature, on
    the columns of the built set's file. In a set a feature may repeat, and is null where nothing
    was found."""
    from warehouse.quality import check_file

    asked = [*(("", e) for e in recipe.spec.expectations), *_carried(recipe)]
    report = check_file(data, [expectation for _, expectation in asked])
    told = zip((view for view, _ in asked), report.results, strict=True)
    for view, results in groupby(told, key=lambda pair: pair[0]):
        found = replace(report, results=tuple(result for _, result in results))
        yield ViewQuality(view, found, "set")


def failures_of(reports: Iterable[ViewQuality]) -> list[Finding]:
    """A warning for each expectation that fails."""
    return [
        Finding(
            "expectation",
            "training",
            "warning",
            result.sentence,
            one.subject,
            hint="look at the source" if one.on == "source" else "look at the built rows",
        )
        for one in reports
        for result in one.report.failures
    ]


def refusal(name: str, failures: Iterable[Finding], quarantined: bool) -> Refused:
    """The error for failures under the policies "block" and "quarantine"."""
    return Refused(
        f"expectations fail for training set {name!r}",
        "; ".join(f"{failure.subject}: {failure.message}" for failure in failures),
        f"see fieldhouse dataset quality {name}; the set is kept apart, in quarantine"
        if quarantined
        else "mend the data, or set training.quality to warn",
    )


def _carried(recipe: Recipe) -> Iterator[tuple[str, Expectation]]:
    for view in recipe.views:
        columns = {f.pin.feature: f.column for f in recipe.of_view(view.key) if f.column}
        for expectation in view.expectations:
            arguments = arguments_of(expectation)
            column = columns.get(str(arguments.get("column")))
            wanted = expectation.kind.startswith(_VALUES) and expectation.kind not in _NOT_OF_SETS
            if column is not None and wanted:
                renamed = canonical_json({**arguments, "column": column})
                yield view.key, Expectation(expectation.kind, renamed)
