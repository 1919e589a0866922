"""The texts of a new project's files. Pure: text in, text out; nothing is written here."""

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fieldhouse.guesses import Column, Roles
from registry.kernel.clock import format_instant

OWNER = "you@example.com"
TTL_DAYS = 30
_FEAST_TYPES = {
    "bool": "Bool",
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "string": "String",
    "bytes": "Bytes",
    "timestamp": "UnixTimestamp",
}
_WORDS = frozenset({"bool", "string", "bytes", "timestamp"})  # types of which "1" is the unit


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: `table` names the table, view, service and domain alike."""

    namespace: str
    table: str
    file_name: str
    roles: Roles
    newest: datetime

    @property
    def entity(self) -> str:
        """The entity's name: the key's without its ending, distinct from the table's."""
        name = self.roles.entity.name.removesuffix("_id").removesuffix("_key") or "thing"
        taken = name in (self.table, "timedelta", "governed") or keyword.iskeyword(name)
        return f"{name}_key" if taken else name


def project_files(plan: Plan) -> Mapping[str, str]:
    """Every text file of the project, by path."""
    view = f"feature_repo/{plan.table}/{plan.table}_features.py"
    return {
        "fieldhouse.toml": _configuration(plan),
        "feature_repo/entities.py": _entities(plan),
        "feature_repo/sources.py": _sources(plan),
        "feature_repo/owners.toml": _owners(plan),
        view: _view(plan),
        "feature_repo/services.py": _services(plan),
        "README.md": _readme(plan, view),
        ".gitignore": ".fieldhouse/\nwarehouse_data/\n",
    }


def things_to_fill_in(plan: Plan) -> list[str]:
    """What only the user knows, file by file."""
    view = f"feature_repo/{plan.table}/{plan.table}_features.py"
    bare = [column.name for column in plan.roles.features if column.dtype not in _WORDS]
    units = [f"{view}: the units of {', '.join(bare)}"] if bare else []
    return [
        f"feature_repo/*: the owner, now {OWNER}",
        f"{view}: what each feature means, in a sentence",
        *units,
        f"{view}: the ttl, now {TTL_DAYS} days: how long may a value be used?",
    ]


def _configuration(plan: Plan) -> str:
    return f"""\
[project]
namespace = "{plan.namespace}"

[warehouse]
root = "warehouse_data"  # <table>.parquet or <table>/*.parquet; others: [warehouse.tables]

[clock]
# For data of the past: every "now" is this instant, one just after the newest row.
# instant = "{format_instant(plan.newest)}"
"""


def _entities(plan: Plan) -> str:
    key = plan.roles.entity
    value_type = {"string": "STRING", "int32": "INT32", "int64": "INT64"}[str(key.dtype)]
    return f'''\
"""What features describe."""

from feast import Entity, ValueType

{plan.entity} = Entity(
    name="{plan.entity}",
    join_keys=["{key.name}"],
    value_type=ValueType.{value_type},
    description="What {key.name} of {plan.table} names.",
    owner="{OWNER}",
)
'''


def _sources(plan: Plan) -> str:
    created = plan.roles.created
    line = f'\n    created_timestamp_column="{created.name}",' if created else ""
    return f'''\
"""Warehouse tables by logical name; where they lie is configuration."""

from feast import FileSource

{plan.table} = FileSource(
    name="{plan.table}",
    path="{plan.table}.parquet",
    timestamp_field="{plan.roles.time.name}",{line}
    description="From {plan.file_name}.",
)
'''


def _owners(plan: Plan) -> str:
    return f"""\
# Who answers for the features of each domain (a folder of this repository).

[domains.{plan.table}]
owner = "{OWNER}"
about = "what {plan.file_name} says"
"""


def _view(plan: Plan) -> str:
    key = plan.roles.entity
    columns = (key, *plan.roles.features)
    types = ", ".join(sorted({_FEAST_TYPES[str(column.dtype)] for column in columns}))
    fields = "".join(_field(plan, column) for column in plan.roles.features)
    return f'''\
"""Features of {plan.entity}, from {plan.table}."""

from datetime import timedelta

from entities import {plan.entity}
from feast import FeatureView, Field
from feast.types import {types}
from sources import {plan.table}

from fieldhouse import governed

{plan.table}_features = FeatureView(
    name="{plan.table}_features",
    description="The newest row of {plan.table} for each {plan.entity}.",
    entities=[{plan.entity}],
    source={plan.table},
    ttl=timedelta(days={TTL_DAYS}),
    tags=governed(owner="{OWNER}", state="production"),
    schema=[
        Field(name="{key.name}", dtype={_FEAST_TYPES[str(key.dtype)]}),
{fields}    ],
)
'''


def _field(plan: Plan, column: Column) -> str:
    unit = '\n            tags=governed(unit="1"),' if column.dtype in _WORDS else ""
    return f"""\
        Field(
            name="{column.name}",
            dtype={_FEAST_TYPES[str(column.dtype)]},
            description="Column {column.name} of {plan.table}.",{unit}
        ),
"""


def _services(plan: Plan) -> str:
    return f'''\
"""What models and applications read."""

from feast import FeatureService
from {plan.table}.{plan.table}_features import {plan.table}_features

from fieldhouse import governed

{plan.table}_service = FeatureService(
    name="{plan.table}_service",
    description="All features of {plan.table}.",
    features=[{plan.table}_features],
    tags=governed(owner="{OWNER}", state="production"),
)
'''


def _readme(plan: Plan, view: str) -> str:
    todo = "\n".join(f"- {line}" for line in things_to_fill_in(plan))
    return f"""\
# {plan.namespace}

A feature repository made from {plan.file_name}. Features of **{plan.entity}** (key
`{plan.roles.entity.name}`), true from `{plan.roles.time.name}` on; see `{view}`.

To fill in:

{todo}

Then:

    fieldhouse doctor     # what is configured, from where, what is wrong
    fieldhouse check      # every finding, each with what to do
    fieldhouse plan       # what applying would change
"""
