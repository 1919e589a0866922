"""Makes repositories of any size, as values and as files; what bench/registry.py measures on.

A repository has views of twenty features each: columns of one query apiece, with a CASE among
plain aggregates, and a feature service for every four views. All are in production
with an owner, a description and a unit.
"""

from collections.abc import Iterator
from pathlib import Path

from registry.core.definitions import (
    Entity,
    Feature,
    FeatureService,
    FeatureView,
    Governance,
    JoinKey,
    Repository,
    Source,
)

FEATURES_PER_VIEW = 20
VIEWS_PER_SERVICE = 4
KEY = JoinKey("carrier", "string")


def repository(number: int, features: int, changed: bool = False) -> Repository:
    """Repository `number` with so many features; `changed` gives its first feature a new version
    of another meaning, as an author would."""
    sizes = list(view_sizes(features))
    views = tuple(_view(number, i, size, changed and i == 0) for i, size in enumerate(sizes))
    return Repository(
        namespace=namespace(number),
        entities=(Entity("carrier", KEY, "an airline", "ops@example.com"),),
        views=views,
        services=tuple(_services(views)),
    )


def namespace(number: int) -> str:
    return f"team_{number:02d}"


def view_sizes(features: int) -> Iterator[int]:
    """How many features each view has."""
    while features > 0:
        yield min(features, FEATURES_PER_VIEW)
        features -= FEATURES_PER_VIEW


def view_name(number: int, index: int) -> str:
    return f"view_{number:02d}_{index:04d}"


def query(number: int, index: int, size: int, changed: bool = False) -> str:
    """The query of one view; every column of it is another expression."""
    columns = [expression(number, index, column) for column in range(size)]
    if changed:
        columns[0] = columns[0].replace("avg(", "max(")
    listed = "".join(f",\n  {text} AS f_{i:02d}" for i, text in enumerate(columns))
    return (
        f"SELECT carrier, date_trunc('hour', at) AS event_timestamp{listed}\n"
        f"FROM flights_{number:02d} WHERE delay > {index} GROUP BY carrier, date_trunc('hour', at)"
    )


def expression(number: int, index: int, column: int) -> str:
    """One aggregate, unlike all others of the fleet."""
    measure = f"c{number}_{column}"
    if column % 5 == 4:
        return f"sum(CASE WHEN {measure} > {index} THEN 1 ELSE 0 END) / count(*)"
    return f"{('avg', 'min', 'sum', 'count')[column % 4]}({measure} + {index})"


def _view(number: int, index: int, size: int, changed: bool) -> FeatureView:
    name = view_name(number, index)
    return FeatureView(
        name=name,
        entities=("carrier",),
        join_keys=(KEY,),
        source=Source(
            f"{name}_source",
            "sql",
            query=query(number, index, size, changed),
            timestamp_field="event_timestamp",
        ),
        features=tuple(_feature(i, changed and i == 0) for i in range(size)),
        ttl_seconds=86400.0,
        domain="delays",
        facts=_FACTS,
    )


def _feature(column: int, changed: bool) -> Feature:
    facts = Governance(description=f"measure {column}", version=2 if changed else None)
    return Feature(f"f_{column:02d}", "float64", facts)


_FACTS = Governance(owner="ops@example.com", unit="minutes", state="production")


def _services(views: tuple[FeatureView, ...]) -> Iterator[FeatureService]:
    for start in range(0, len(views), VIEWS_PER_SERVICE):
        chosen = views[start : start + VIEWS_PER_SERVICE]
        refs = tuple(f"{view.name}:{f.name}" for view in chosen for f in view.features[::2])
        yield FeatureService(f"service_{start:04d}", refs, "what a model reads", "ops@example.com")


def write_files(folder: Path, number: int, features: int, changed: bool = False) -> Path:
    """The same repository as Python files, a view a file; Feast and Fieldhouse both read it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "entities.py").write_text(_ENTITIES)
    sizes = list(view_sizes(features))
    for index, size in enumerate(sizes):
        text = _view_file(number, index, size, changed and index == 0)
        (folder / f"{view_name(number, index)}.py").write_text(text)
    return folder


_ENTITIES = """\
from feast import Entity, ValueType

carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING)
"""


def _view_file(number: int, index: int, size: int, changed: bool) -> str:
    name = view_name(number, index)
    fields = "".join(
        f'        Field(name="f_{i:02d}", dtype=Float64, tags={_tags(i, changed)}),\n'
        for i in range(size)
    )
    return f'''\
from datetime import timedelta

from entities import carrier
from feast import FeatureView, Field
from feast.types import Float64
from fieldhouse import SqlSource, governed

{name} = FeatureView(
    name="{name}",
    entities=[carrier],
    ttl=timedelta(days=1),
    source=SqlSource(
        name="{name}_source",
        query="""{query(number, index, size, changed)}""",
        timestamp_field="event_timestamp",
    ),
    schema=[
{fields}    ],
    tags=governed(
        owner="ops@example.com",
        unit="minutes",
        state="production",
    ),
)
'''


def _tags(column: int, changed: bool) -> str:
    version = ", version=2" if changed and column == 0 else ""
    return f'governed(description="measure {column}"{version})'
