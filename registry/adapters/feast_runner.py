"""The program that runs a repository's files: `python -m registry.adapters.feast_runner`.

Started by the loader in a process of its own, with limits, and never imported by anything else.
Arguments: folder, namespace, a folder for the answer, seconds, megabytes. It answers by the file
`result.json`, never by printing, since definitions may print.
"""

import faulthandler
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.adapters.birthplaces import Birthplaces
from registry.adapters.definition_import import import_files, module_objects
from registry.adapters.feast_border import Border, Translation, translate
from registry.adapters.import_guard import ImportGuard
from registry.adapters.limited_process import limit_memory
from registry.adapters.repository_cache import LoadResult, encode
from registry.adapters.repository_files import module_name, python_files

LEAVE = os._exit


def main(arguments: list[str]) -> None:
    """Read the repository, write the answer, and leave without waiting for anybody's threads."""
    folder, namespace, answers, seconds, megabytes = arguments
    out = Path(answers)
    limit_memory(int(megabytes))
    objects, guard, border = run_files(Path(folder), namespace, out, float(seconds))
    translation = Translation(None)
    if not any(finding.severity == "error" for finding in guard.findings):
        translation = translate(objects, border)
    result = LoadResult(translation.repository, (*guard.findings, *translation.findings))
    part = out / "result.part"
    part.write_bytes(encode(result))
    part.rename(out / "result.json")
    LEAVE(0)


def run_files(
    root: Path, namespace: str, out: Path, seconds: float
) -> tuple[list[object], ImportGuard, Border]:
    """Import every file under watch; gives the objects at their top and how to translate them.

    After `seconds` the process ends, its stack written to `trace.txt` in `out`.
    """
    sources = _sources(root)
    classes = _watched_classes() if any(map(_may_use_feast, sources.values())) else []
    places = Birthplaces(root)
    guard = ImportGuard(places)
    with (out / "trace.txt").open("w") as trace:
        faulthandler.enable(file=trace)
        faulthandler.dump_traceback_later(seconds, exit=True, file=trace)
        with places.watching(*classes):
            modules = import_files(root, guard, out / "current.txt")
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
    names = {module.__file__: module.__name__ for module in modules}
    border = Border(namespace, places, sources, lambda view: _module_of(view, names))
    return list(module_objects(modules)), guard, border


def _watched_classes() -> list[type]:
    from feast import Entity, FeatureService, Field
    from feast.base_feature_view import BaseFeatureView
    from feast.data_source import DataSource

    return [Entity, Field, FeatureService, BaseFeatureView, DataSource]


def _may_use_feast(text: str) -> bool:
    """Whether a file can make a Feast object; when none can, importing Feast is time lost."""
    return "feast" in text or "fieldhouse" in text


def _sources(root: Path) -> dict[str, str]:
    return {module_name(f, root): f.read_text(errors="replace") for f in python_files(root)}


def _module_of(view: Any, names: Mapping[str | None, str]) -> str:
    """The module of an on-demand view's function, by its file: Feast renames the function's own."""
    return names.get(view.udf.__code__.co_filename, "")


if __name__ == "__main__":
    main(sys.argv[1:])
