"""The program that writes Feast's registry: `python -m registry.adapters.feast_sync_runner`.

Started by `feast_sync` with the arguments of the loader's runner; the answers' folder holds the
`feature_store.yaml` to work with. Never imported by anything else.
"""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from registry.adapters.feast_runner import LEAVE, run_files
from registry.adapters.feast_sync import SyncResult
from registry.adapters.limited_process import limit_memory
from registry.core.definitions import NOWHERE
from registry.core.findings import Finding


def main(arguments: list[str]) -> None:
    """Read the repository, write the registry, write the answer."""
    folder, project, answers, seconds, megabytes = arguments
    root, out = Path(folder), Path(answers)
    limit_memory(int(megabytes))
    _, guard, _ = run_files(root, project, out, float(seconds))
    result = SyncResult((), guard.findings)
    if result.done:
        try:
            result = SyncResult(_apply(root, project, out), guard.findings)
        except Exception as error:
            result = SyncResult((), (*guard.findings, _failed(error)))
    part = out / "result.part"
    part.write_bytes(msgspec.json.encode(result))
    part.rename(out / "result.json")
    LEAVE(0)


def _apply(root: Path, project: str, out: Path) -> tuple[str, ...]:
    """Feast's own apply of the whole project. The files have been imported: they run once."""
    from feast import FeatureStore
    from feast.project import Project
    from feast.repo_operations import apply_total_with_repo_instance, parse_repo

    os.chdir(root)
    contents = parse_repo(root)
    contents.projects.append(Project(name=project))
    entities = {entity.name: entity for entity in contents.entities}
    views = [*contents.feature_views, *contents.stream_feature_views]
    for view in views:
        _add_join_keys(view, entities)
    for on_demand in contents.on_demand_feature_views:
        # Feast would run the function on made-up values to learn a schema that it has been told,
        # and refuse one that answers None to them.
        on_demand.infer_features = lambda: None
    contents.feature_services[:] = filter(_own_features, contents.feature_services)
    store = FeatureStore(fs_yaml_file=out / "feature_store.yaml")
    apply_total_with_repo_instance(
        store,
        project,
        store.registry,
        contents,
        skip_source_validation=True,
        skip_feature_view_validation=True,
    )
    names = [view.name for view in [*views, *contents.on_demand_feature_views]]
    return tuple(sorted(names))


def _own_features(service: Any) -> bool:
    """Take other namespaces' features (`namespace/view:feature`) out of a service: Feast knows one
    project at a time. Whether anything is left."""
    for kept in (service._features, service._pending_feature_refs):
        kept[:] = [ref for ref in kept if not (isinstance(ref, str) and "/" in ref)]
    return bool(service._features)


def _add_join_keys(view: Any, entities: dict[str, Any]) -> None:
    """Columns for join keys that the schema leaves out: Feast would ask the warehouse for them."""
    from feast.field import Field
    from feast.types import from_value_type

    known = {column.name for column in view.entity_columns}
    for name in view.entities:
        entity = entities[name]
        if entity.join_key not in known and name != "__dummy":
            dtype = from_value_type(entity.value_type)
            view.entity_columns.append(Field(name=entity.join_key, dtype=dtype))


def _failed(error: Exception) -> Finding:
    said = " ".join(str(error).split())[:400]
    return Finding(
        rule="feast-out-of-step",
        strictness="cosmetic",
        severity="error",
        message=f"Feast's registry could not be written: {type(error).__name__}: {said}",
        subject="feast",
        location=NOWHERE,
        hint="Fieldhouse itself is not affected; the next apply tries again",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
