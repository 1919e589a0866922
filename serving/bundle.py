"""A model bundle as a value: its manifest, golden rows, and the digest that names it. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.kernel.canonical import canonical_json, digest_bytes, short
from registry.kernel.errors import Corrupt, Invalid
from serving.signature import Signature

LAYOUT = 1
TASKS = ("binary", "multiclass", "regression")
MANIFEST = "manifest.json"
SEAL = "seal.json"
GOLDEN = "golden.json"
PROFILE = "profile.json"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the bundle; `sha256` is `sha256:` and 64 hex digits."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The model in its native format. `format` is a module of `serving.runtimes`."""

    file: str
    format: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The training set, and the digest of the manifest from which it can be rebuilt."""

    name: str
    manifest_digest: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a bundle says about itself. Its canonical JSON's digest names the bundle."""

    layout: int
    name: str
    task: str
    model: ModelFile
    signature: Signature
    files: tuple[FileEntry, ...]
    service: str | None = None
    trained_on: TrainedOn | None = None
    requirements: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    lock: str | None = None

    def encode(self) -> bytes:
        return canonical_json(msgspec.to_builtins(self)).encode()

    @property
    def digest(self) -> str:
        return digest_bytes(self.encode())

    @property
    def version(self) -> str:
        """The bundle's version: the first twelve hex digits of its digest."""
        return short(self.digest)


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows with the answers they must give: `rows` float64 [g, width], outputs [g] or [g, w]."""

    rows: NDArray[np.float64]
    outputs: Mapping[str, NDArray[Any]]

    def encode(self) -> bytes:
        outputs = {name: values.tolist() for name, values in self.outputs.items()}
        return msgspec.json.encode({"rows": self.rows.tolist(), "outputs": outputs})


def decode_golden(data: bytes) -> Golden:
    """Read `golden.json`; null reads as NaN."""
    found = msgspec.json.decode(data)
    outputs = {name: np.array(values, np.float64) for name, values in found["outputs"].items()}
    return Golden(np.array(found["rows"], np.float64), outputs)


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest; raises `Corrupt` when it is not one, or of a layout we don't know."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Corrupt("the bundle's manifest cannot be read", str(error)) from error
    if manifest.layout != LAYOUT:
        raise Corrupt(f"bundle layout {manifest.layout} is not known", f"this reads {LAYOUT}")
    return manifest


def check_name(name: str, what: str = "model") -> str:
    """`name` itself; raises `Invalid` unless it is letters, digits, dots, dashes, underscores."""
    if not _NAME.match(name):
        raise Invalid(
            f"{name!r} cannot name a {what}", hint="use letters, digits, dot, dash, underscore"
        )
    return name


def check_task(task: str) -> str:
    """`task` itself; raises `Invalid` for one that the gate could not judge."""
    if task not in TASKS:
        raise Invalid(f"{task!r} is no task", f"known: {', '.join(TASKS)}")
    return task


def check_files(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Raises `Corrupt` unless exactly the manifest's files are there, byte for byte."""
    for entry in manifest.files:
        data = files.get(entry.name)
        if data is None:
            raise Corrupt(f"file {entry.name!r} of bundle {manifest.name} is missing")
        if len(data) != entry.bytes or digest_bytes(data) != entry.sha256:
            raise Corrupt(
                f"file {entry.name!r} of bundle {manifest.name} is not what was packaged",
                f"expected {entry.bytes} bytes of {entry.sha256}, found {len(data)} bytes",
            )
