"""`feature_store.yaml`: what Feast's own tools read to work on the same project. Text only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_NAME = "feature_store.yaml"


def registry_path(registry: str | Path) -> str:
    """The SQLAlchemy URL of Feast's registry; a path becomes a SQLite file."""
    text = str(registry)
    return text if "://" in text else f"sqlite:///{Path(text).resolve()}"


def store_configuration(
    project: str,
    registry: str | Path,
    *,
    online_store: Mapping[str, Any] | None = None,
    offline_store: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Feast's configuration of a project in a SQL registry.

    Views stay servable while they are materialized; without an online store Feast has none.
    """
    made: dict[str, Any] = {
        "project": project,
        "provider": "local",
        "registry": {
            "registry_type": "sql",
            "path": registry_path(registry),
            "cache_ttl_seconds": 60,
            "serve_features_while_materializing": True,
        },
        "online_store": dict(online_store) if online_store is not None else None,
        "entity_key_serialization_version": 3,
    }
    if offline_store is not None:
        made["offline_store"] = dict(offline_store)
    return made


def feature_store_yaml(
    project: str,
    registry: str | Path,
    *,
    online_store: Mapping[str, Any] | None = None,
    offline_store: Mapping[str, Any] | None = None,
) -> str:
    """The text of `feature_store.yaml`. YAML reads JSON, so no other spelling is needed."""
    made = store_configuration(
        project, registry, online_store=online_store, offline_store=offline_store
    )
    lines = [f"{key}: {json.dumps(value)}" for key, value in made.items()]
    return "\n".join(["# Made by Fieldhouse, which keeps this registry in step.", *lines, ""])
