"""Writes views of the corpus as a Feast repository, as an author would. Text only."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bench.duplicates.corpus import PANDAS, Case, CaseView, Known, dtype_of
from bench.duplicates.shapes import described

_HEAD: Final = '''"""Definitions of the examination."""

import pandas as pd
from feast import Entity, FeatureView, Field, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float32, Float64, Int64, String

from fieldhouse import SqlSource, governed

TEXT = ValueType.STRING
carrier = Entity(name="carrier", join_keys=["carrier"], value_type=TEXT)
origin = Entity(name="origin", join_keys=["origin"], value_type=TEXT)
dest = Entity(name="dest", join_keys=["dest"], value_type=TEXT)
tailnum = Entity(name="tailnum", join_keys=["tailnum"], value_type=TEXT)
KEYS = {entity.name: entity for entity in (carrier, origin, dest, tailnum)}
TAGS = governed(owner="team@flights.example", state="production", sensitivity="internal")


def view(name, keys, query, fields, about):
    """A view over a query."""
    return FeatureView(
        name=name,
        description=about,
        entities=[KEYS[key] for key in keys],
        source=SqlSource(name=name + "_rows", timestamp_field="known_at", query=query),
        schema=[Field(name=key, dtype=String) for key in keys]
        + [
            Field(name=field, dtype=dtype, description=said, tags=governed(unit=unit))
            for field, dtype, said, unit in fields
        ],
        ttl=None,
        tags=TAGS,
    )


'''


def known_repository(folder: Path, views: Iterable[Known]) -> Path:
    """The registered views as one file of a new folder."""
    texts = [
        _view_text(
            known.name, known.view.entity, known.sql,
            [(name, dtype_of(item), described(known.view, item), item.measure.unit)
             for name, item in known.features()],
        )
        for known in views
    ]  # fmt: skip
    return _write(folder, texts)


def case_repository(folder: Path, views: Sequence[CaseView]) -> Path:
    """Proposed views as one file of a new folder."""
    return _write(folder, [_case_text(view) for view in views])


def write_views(
    folder: Path,
    views: Iterable[tuple[str, Sequence[str], str, Sequence[tuple[str, str, str, str]]]],
) -> Path:
    """Any views: name, keys, query, and (feature, Feast type, description, unit) of each."""
    return _write(folder, [_view_text(*view) for view in views])


def _write(folder: Path, texts: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    (folder / "views.py").write_text(_HEAD + "\n\n".join(texts) + "\n")
    return folder


def _case_text(view: CaseView) -> str:
    if not view.extra:
        fields = [(c.name, c.dtype, c.description, c.unit) for c in view.cases]
        return _view_text(view.name, view.view.entity, view.sql, fields)
    parts = [(name, "Float64", f"{name} of a quotient", "1") for name in view.extra]
    base = _view_text(view.name, view.view.entity, view.sql, parts)
    return base + "\n\n" + _on_demand_text(view.name, view.cases[0])


def on_demand_name(view: str) -> str:
    """The on-demand view over a view of parts."""
    return f"{view}_on_demand"


def _on_demand_text(view: str, case: Case) -> str:
    mode = "pandas" if case.family in PANDAS else "python"
    field = (
        f"Field(name={case.name!r}, dtype={case.dtype}, description={case.description!r}, "
        f"tags=governed(unit={case.unit!r}))"
    )
    return (
        f"@on_demand_feature_view(sources=[{view}], mode={mode!r}, schema=[{field}], tags=TAGS)\n"
        f"def {on_demand_name(view)}(inputs):\n{case.python}\n"
    )


def _view_text(
    name: str, keys: Sequence[str], query: str, fields: Sequence[tuple[str, str, str, str]]
) -> str:
    listed = "".join(
        f"        ({field!r}, {dtype}, {said!r}, {unit!r}),\n"
        for field, dtype, said, unit in fields
    )
    return (
        f"{name} = view(\n    {name!r},\n    {tuple(keys)!r},\n    {query!r},\n"
        f"    [\n{listed}    ],\n    {('Features of ' + ' and '.join(keys) + '.')!r},\n)"
    )
