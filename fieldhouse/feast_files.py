"""Where Feast's file sources lie, and files replaced whole. Local files alone."""

import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from feast.repo_config import RepoConfig

from registry.kernel.errors import Invalid, Unavailable


def source_path(config: RepoConfig, path: str) -> Path:
    """A path of a feature repository, relative ones from its root. Raises `Invalid` for a URL."""
    local = path.removeprefix("file://")
    if "://" in local:
        raise Invalid(f"{path} is not a local file", hint="mount it, or use another offline store")
    return (config.repo_path or Path.cwd()) / local


def replace_file(file: Path, table: pa.Table) -> None:
    """Write a Parquet file in place of the one there, whole or not at all.

    Raises `Unavailable` when the disk does not take it.
    """
    name = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
        os.close(handle)
        pq.write_table(table, name)
        Path(name).replace(file)
    except OSError as error:
        raise Unavailable(f"cannot write {file}", str(error), "free some disk space") from error
    finally:
        if name is not None:
            Path(name).unlink(missing_ok=True)
