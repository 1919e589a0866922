"""Loads many repositories with one import of Feast: the real loader's program, forked for each."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from registry.adapters.limited_process import run_limited
from registry.adapters.repository_cache import LoadResult, decode

_SECONDS, _MEGABYTES, _AT_ONCE = "60", "4096", 2


def load_all(folders: Mapping[str, Path], namespace: str) -> dict[str, LoadResult]:
    """What `load_repository` would give for each folder, by the same names."""
    with tempfile.TemporaryDirectory(prefix="fieldhouse-batch-") as scratch:
        out = Path(scratch)
        pairs = [f"{name}={folder.resolve()}" for name, folder in folders.items()]
        arguments = [sys.executable, "-P", __file__, namespace, str(out), *pairs]
        outcome = run_limited(arguments, folder=out, seconds=110.0)
        missing = [name for name in folders if not (out / name / "result.json").exists()]
        assert not missing, f"{missing}: {outcome.stderr}"
        return {name: decode((out / name / "result.json").read_bytes()) for name in folders}


def main(namespace: str, out: Path, folders: Mapping[str, Path]) -> None:
    """Import Feast once, then let a child of its own read each folder."""
    import feast.on_demand_feature_view  # noqa: F401
    import pandas  # noqa: F401 - udfs may use it

    from registry.adapters import feast_runner

    running: set[int] = set()
    for name, folder in folders.items():
        (out / name).mkdir()
        if len(running) == _AT_ONCE:
            running.discard(os.wait()[0])
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            words = [str(folder), namespace, str(out / name), _SECONDS, _MEGABYTES]
            feast_runner.main(words)
        running.add(child)
    while running:
        running.discard(os.wait()[0])


if __name__ == "__main__":
    pairs = (word.rsplit("=", 1) for word in sys.argv[3:])
    main(sys.argv[1], Path(sys.argv[2]), {name: Path(folder) for name, folder in pairs})
