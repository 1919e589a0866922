"""Compiled views, kept in a file by what they were compiled from: following SQL takes a while."""

import contextlib
from importlib.metadata import version
from pathlib import Path

import msgspec

from registry.adapters.own_code import own_code
from registry.adapters.whole_file import write_whole
from registry.core.compile import CompiledViews
from registry.core.compiled import CompiledFeature
from registry.kernel.canonical import digest, short


def compiler() -> str:
    """What compiles: our core's code and the parser. Another one starts afresh."""
    return f"sqlglot {version('sqlglot')} {own_code('core')}"


class _Kept(msgspec.Struct):
    compiler: str
    views: dict[str, tuple[CompiledFeature, ...]]


class CompiledCache:
    """One file a namespace in a folder. Losing it costs time and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, namespace: str) -> CompiledViews:
        """What the last run compiled; nothing when there is none, or other code made it."""
        try:
            kept = msgspec.json.decode(self._file(namespace).read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError):
            return {}
        return kept.views if kept.compiler == compiler() else {}

    def write(self, namespace: str, views: CompiledViews, known: CompiledViews) -> None:
        """Keep what this run compiled, unless all of it is `known` or there is no room."""
        if views.keys() == known.keys():
            return
        kept = _Kept(compiler(), dict(views))
        with contextlib.suppress(OSError):
            write_whole(self._file(namespace), msgspec.json.encode(kept))

    def _file(self, namespace: str) -> Path:
        return self._folder / f"compiled-{short(digest(namespace))}.json"
