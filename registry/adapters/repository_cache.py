"""Loaded repositories, kept by the digest of their files: reading one again needs no Feast."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from registry.adapters.whole_file import write_whole
from registry.core.definitions import Repository
from registry.core.findings import Finding


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What was read. `repository` is None when a finding of severity error stands in the way."""

    repository: Repository | None
    findings: tuple[Finding, ...] = ()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(LoadResult)


def encode(result: LoadResult) -> bytes:
    """The result as JSON."""
    return _ENCODER.encode(result)


def decode(data: bytes) -> LoadResult:
    """Read back what `encode` gave; raises `msgspec.MsgspecError` for anything else."""
    return _DECODER.decode(data)


@dataclass(frozen=True, slots=True)
class RepositoryCache:
    """Results in files of a folder. Losing the folder costs time and nothing else."""

    folder: Path

    def read(self, key: str) -> LoadResult | None:
        """The result under that key; None when there is none, or none that can be read."""
        try:
            return decode(self._file(key).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, key: str, result: LoadResult) -> None:
        """Keep a result, where there is room for it."""
        with contextlib.suppress(OSError):
            write_whole(self._file(key), encode(result))

    def _file(self, key: str) -> Path:
        return self.folder / f"repository-{key.removeprefix('sha256:')}.json"
