"""Joins rooms that may not import one another: what the warehouse gives to registry commands."""

from collections.abc import Mapping
from typing import Any

from fieldhouse.rooms import load
from registry.kernel.settings import Settings
from registry.ports import CommandPorts


def command_ports() -> CommandPorts:
    """The ports that registry commands look for; each loads its room when it is used."""
    return CommandPorts(
        tables=warehouse_tables,
        sketches=lambda settings: _warehouse("open_sketches")(settings),
        computed=lambda settings: _warehouse("open_computed")(settings),
        examples=lambda settings: _warehouse("open_examples")(settings),
        values=lambda settings: load("warehouse.value_preview").LimitedPreview(settings),
        code=lambda settings: _warehouse("open_code")(settings),
        expectations=lambda settings: _warehouse("open_expectations")(settings),
    )


def _warehouse(opener: str) -> Any:
    return getattr(load("warehouse.bootstrap"), opener)


def warehouse_tables(settings: Settings) -> Mapping[str, frozenset[str]] | None:
    """The columns of every table of the warehouse; None where there is no warehouse at all."""
    if not load("warehouse.catalog").read_catalog(settings).names():
        return None
    tables = load("warehouse.bootstrap").open_engine(settings).tables()
    return {name: frozenset(schema.names) for name, schema in tables.items()}
