"""Restores bundles and reports from the backup store, verified on the way; registers lost ones."""

import contextlib
from dataclasses import dataclass

from registry.kernel.errors import FieldhouseError, Misuse, NotFound
from registry.ports import ModelRecord
from serving.history import evidence_of
from serving.package import known_record, record_of
from serving.reports import report_folder
from serving.room import Room
from serving.store import Store, copy_bundle, copy_folder, read_bundle


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one version: `intact` it was there already, `reports` were brought back."""

    name: str
    version: str
    intact: bool
    reports: int
    state: str


def restore_model(room: Room, name: str, version: str | None, actor: str) -> tuple[Restored, ...]:
    """Bring one version, or all that the backup has, back into the primary store.

    A version that the model book lost as well is registered as packaged: it is gated and approved
    anew. Raises `Misuse` without a backup store, `NotFound`, `Refused` or `Corrupt`.
    """
    backup = _backup(room)
    versions = [version] if version else backup.folders(f"bundles/{name}")
    if not versions:
        raise NotFound("backup of model", name, backup.children("bundles"))
    return tuple(_restore(room, backup, name, one, actor) for one in versions)


def _backup(room: Room) -> Store:
    if room.stores.backup is None:
        raise Misuse("there is no backup store to restore from", hint="set serving.backup")
    return room.stores.backup


def _restore(room: Room, backup: Store, name: str, version: str, actor: str) -> Restored:
    intact = _is_intact(room, name, version)
    copy_bundle(backup, room.stores.primary, name, version, room.trusted)
    bundle = read_bundle(room.stores.primary, name, version, room.trusted)
    record = known_record(room.registry.models, name, version)
    if record is None:
        record = record_of(bundle, room.stores, room.clock(), actor)
        room.registry.models.save(record, actor, "model:restored", "", evidence_of(record))
    return Restored(name, version, intact, _restore_reports(room, backup, record), record.state)


def _is_intact(room: Room, name: str, version: str) -> bool:
    with contextlib.suppress(FieldhouseError):
        read_bundle(room.stores.primary, name, version, room.trusted)
        return True
    return False


def _restore_reports(room: Room, backup: Store, record: ModelRecord) -> int:
    """Bring back the reports that the primary store lost; the newest is replaced when damaged."""
    parent = f"reports/{record.name}/{record.version}"
    newest = record.facts.get("report_digest")
    place = report_folder(record.name, record.version, str(newest)) if newest else None
    count = 0
    for folder in backup.folders(parent):
        path = f"{parent}/{folder}"
        if path == place or not room.stores.primary.has(path):
            count += copy_folder(backup, room.stores.primary, path)
    return count
