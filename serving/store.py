"""Where bundles and reports lie: folders of bytes in an fsspec store, complete or not there.

A folder's seal is written last. Without it the folder does not exist for any reader, so a crash or
a full disk leaves nothing half-stored.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import fsspec

from registry.kernel.errors import Corrupt, NotFound, Refused, Unavailable
from serving.bundle import MANIFEST, SEAL, Manifest, check_files, check_name, decode_manifest
from serving.signing import TrustedKeys, verify


class Store:
    """Folders of small files under one fsspec URL or path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def _path(self, folder: str, file: str = "") -> str:
        return "/".join(part for part in (self._root.rstrip("/"), folder, file) if part)

    def has(self, folder: str) -> bool:
        return bool(self._fs.exists(self._path(folder, SEAL)))

    def read(self, folder: str, file: str) -> bytes:
        """Raises `NotFound`, or `Unavailable` when the store does not answer."""
        try:
            return bytes(self._fs.cat_file(self._path(folder, file)))
        except FileNotFoundError as error:
            raise NotFound("stored file", f"{folder}/{file}") from error
        except OSError as error:
            raise Unavailable(f"cannot read {folder}/{file} in {self.url}", str(error)) from error

    def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Write a folder, its seal last, and read it back.

        Raises `Unavailable` when a byte did not arrive; nothing is left then. A folder that is
        complete already is left alone, since folders are immutable.
        """
        if self.has(folder):
            return
        try:
            self._fs.makedirs(self._path(folder), exist_ok=True)
            for name in sorted(files, key=lambda name: name == SEAL):
                self._fs.pipe_file(self._path(folder, name), files[name])
            for name, data in files.items():
                if bytes(self._fs.cat_file(self._path(folder, name))) != data:
                    raise OSError(f"{name} reads back differently")
        except OSError as error:
            self.remove(folder)
            raise Unavailable(
                f"cannot store {folder} in {self.url}", str(error), "nothing was kept; try again"
            ) from error

    def remove(self, folder: str) -> None:
        """Take a folder away, its seal first. Quiet when it is not there."""
        with contextlib.suppress(OSError):
            self._fs.rm_file(self._path(folder, SEAL))
        with contextlib.suppress(OSError):
            self._fs.rm(self._path(folder), recursive=True)

    def folders(self, parent: str) -> list[str]:
        """The names of the complete folders directly under `parent`, sorted."""
        return [name for name in self.children(parent) if self.has(f"{parent}/{name}")]

    def children(self, parent: str) -> list[str]:
        """The names of whatever lies directly under `parent`, sorted."""
        try:
            paths = self._fs.ls(self._path(parent), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(path).rpartition("/")[2] for path in paths)


@dataclass(frozen=True, slots=True)
class Stores:
    """The primary store and its backup, written in one step."""

    primary: Store
    backup: Store | None = None

    def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Write both copies and verify both; when either fails, neither is kept.

        A copy that was complete before is never taken away.
        """
        known = self.primary.has(folder)
        self.primary.write(folder, files)
        if self.backup is None:
            return
        try:
            self.backup.write(folder, files)
        except Unavailable:
            if not known:
                self.primary.remove(folder)
            raise


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle: signed by a trusted key, every file as packaged."""

    manifest: Manifest
    digest: str
    signed_by: str
    files: Mapping[str, bytes]

    @property
    def model(self) -> bytes:
        return self.files[self.manifest.model.file]


def bundle_folder(name: str, version: str) -> str:
    """The folder of one model version."""
    return f"bundles/{check_name(name)}/{check_name(version, 'version')}"


def read_bundle(store: Store, name: str, version: str, trusted: TrustedKeys) -> Bundle:
    """Read and verify one bundle; the bytes that were verified are the bytes returned.

    Raises `NotFound`, `Refused` (not signed by a trusted key) or `Corrupt` (forged or changed).
    """
    folder = bundle_folder(name, version)
    if not store.has(folder):
        known = store.folders(f"bundles/{name}")
        raise NotFound(f"bundle of {name}", version, known)
    raw = store.read(folder, MANIFEST)
    signed_by = verify(store.read(folder, SEAL), "bundle", raw, trusted)
    manifest = decode_manifest(raw)
    if (manifest.name, manifest.version) != (name, version) or manifest.encode() != raw:
        raise Corrupt(f"bundle {name} {version} holds {manifest.name} {manifest.version}")
    files = {}
    for entry in manifest.files:
        try:
            files[entry.name] = store.read(folder, check_name(entry.name, "file"))
        except NotFound:
            continue
    check_files(manifest, files)
    return Bundle(manifest, manifest.digest, signed_by, files)


def copy_bundle(
    source: Store, target: Store, name: str, version: str, trusted: TrustedKeys
) -> None:
    """Restore a bundle from another store, verified on the way; a damaged copy is replaced."""
    folder = bundle_folder(name, version)
    bundle = read_bundle(source, name, version, trusted)
    try:
        read_bundle(target, name, version, trusted)
    except (NotFound, Corrupt, Refused):
        target.remove(folder)
    documents = {file: source.read(folder, file) for file in (MANIFEST, SEAL)}
    target.write(folder, {**bundle.files, **documents})


def copy_folder(source: Store, target: Store, folder: str) -> int:
    """Copy a complete folder as it is, where the target's differs or is not there; 1 or 0 copied.

    What is in it is verified by whoever reads it.
    """
    files = {name: source.read(folder, name) for name in source.children(folder)}
    with contextlib.suppress(NotFound):
        if all(target.read(folder, name) == data for name, data in files.items()):
            return 0
    target.remove(folder)
    target.write(folder, files)
    return 1
