from pathlib import Path

import numpy as np
import pytest

from registry.kernel.errors import Corrupt, Invalid, NotFound, Refused, Unavailable
from serving.bundle import GOLDEN, MANIFEST, SEAL, Manifest, decode_golden, decode_manifest
from serving.profile import decode_profile
from serving.signing import ensure_signing_key, read_trusted_keys, seal, verify
from serving.store import Store, bundle_folder, copy_bundle, read_bundle
from tests.model_room import AUTHOR, flights, lightgbm_model, open_room, parts, xgboost_model


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path, FIELDHOUSE_SERVING_BACKUP="backup")


@pytest.fixture
def record(room, tmp_path):
    return room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)


def place(room, record, file) -> Path:
    return Path(room.stores.primary.url) / bundle_folder(record.name, record.version) / file


def test_a_packaged_model_is_registered_and_reads_back_verified(room, record):
    bundle = room.bundle(record.name, record.version)
    assert bundle.digest == record.bundle_digest and record.state == "packaged"
    assert bundle.model == xgboost_model().data
    assert room.registry.models.events[-1][:2] == (AUTHOR.subject, "model:packaged")


def test_the_same_parts_give_the_same_bundle_and_one_record(room, record, tmp_path):
    again = room.package(parts(tmp_path, xgboost_model()), actor="someone@else")
    assert again == record and len(room.registry.models.all()) == 1


def test_the_manifest_survives_its_own_encoding(room, record):
    manifest = room.bundle(record.name, record.version).manifest
    assert decode_manifest(manifest.encode()) == manifest and isinstance(manifest, Manifest)


def test_golden_rows_and_reference_profile_are_in_the_bundle(room, record):
    files = room.bundle(record.name, record.version).files
    golden = decode_golden(files[GOLDEN])
    assert golden.rows.shape == (8, 4) and len(golden.outputs["probability"]) == 8
    wind = decode_profile(files["profile.json"]).columns[2]
    column = flights().rows[:, 2]
    assert wind.name == "wind" and wind.rows == len(column)
    assert sum(wind.counts) + wind.missing == wind.rows
    assert max(wind.counts) - min(wind.counts) <= 2


@pytest.mark.parametrize("file", ["model.ubj", GOLDEN, MANIFEST])
def test_a_changed_byte_in_any_file_is_found(room, record, file):
    path = place(room, record, file)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt):
        room.bundle(record.name, record.version)


def test_a_missing_file_and_a_file_cut_in_half_are_found(room, record):
    path = place(room, record, "model.ubj")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Corrupt, match="not what was packaged"):
        room.bundle(record.name, record.version)
    path.unlink()
    with pytest.raises(Corrupt, match="missing"):
        room.bundle(record.name, record.version)


def test_a_bundle_signed_with_a_key_of_its_own_is_refused(room, record, tmp_path):
    stranger = ensure_signing_key(tmp_path / "elsewhere")
    raw = place(room, record, MANIFEST).read_bytes()
    place(room, record, SEAL).write_bytes(seal(stranger, "bundle", raw))
    with pytest.raises(Refused, match="not signed by a key that is trusted"):
        room.bundle(record.name, record.version)


def test_a_seal_of_another_purpose_does_not_fit(tmp_path):
    key = ensure_signing_key(tmp_path)
    with pytest.raises(Refused):
        verify(seal(key, "report", b"x"), "bundle", b"x", frozenset({key.public}))
    with pytest.raises(Corrupt, match="changed or forged"):
        verify(seal(key, "bundle", b"x"), "bundle", b"y", frozenset({key.public}))
    with pytest.raises(Corrupt, match="cannot be read"):
        verify(b"{", "bundle", b"y", frozenset({key.public}))


def test_taking_a_key_out_of_the_trusted_folder_revokes_its_bundles(room, record):
    for file in (room.key_folder / "trusted").glob("*.pub"):
        file.unlink()
    with pytest.raises(Refused, match="trusted: none"):
        room.bundle(record.name, record.version)


def test_the_signing_key_is_made_once_and_is_ours_alone(tmp_path):
    first, second = ensure_signing_key(tmp_path), ensure_signing_key(tmp_path)
    assert first.public == second.public
    assert (tmp_path / "serving.key").stat().st_mode & 0o777 == 0o600
    assert read_trusted_keys(tmp_path / "trusted") == {first.public}


def test_the_backup_alone_restores_a_bundle(room, record):
    primary, backup = room.stores.primary, room.stores.backup
    primary.remove(bundle_folder(record.name, record.version))
    with pytest.raises(NotFound):
        room.bundle(record.name, record.version)
    copy_bundle(backup, primary, record.name, record.version, room.trusted)
    assert room.bundle(record.name, record.version).digest == record.bundle_digest


def test_restoring_replaces_a_damaged_copy(room, record):
    place(room, record, "model.ubj").write_bytes(b"{")
    copy_bundle(room.stores.backup, room.stores.primary, record.name, record.version, room.trusted)
    assert room.bundle(record.name, record.version).model == xgboost_model().data


def test_a_backup_that_cannot_be_written_leaves_nothing_registered(tmp_path):
    (tmp_path / "backup").write_text("a file where a folder should be")
    room = open_room(tmp_path, FIELDHOUSE_SERVING_BACKUP="backup")
    with pytest.raises(Unavailable, match="nothing was kept"):
        room.package(parts(tmp_path, xgboost_model()), actor=AUTHOR.subject)
    assert room.registry.models.all() == ()
    assert room.stores.primary.folders("bundles/delay") == []


def test_a_folder_without_its_seal_does_not_exist(tmp_path):
    store = Store(str(tmp_path / "s"))
    (tmp_path / "s/bundles/m/1").mkdir(parents=True)
    (tmp_path / "s/bundles/m/1" / MANIFEST).write_text("{}")
    assert store.folders("bundles/m") == []
    with pytest.raises(NotFound):
        read_bundle(store, "m", "1", frozenset())


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "s"))
    write, calls = store._fs.pipe_file, []

    def fill_up(path, data):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(store._fs, "pipe_file", fill_up)
    with pytest.raises(Unavailable, match="No space left"):
        store.write("x", {"a": b"1", "b": b"2", SEAL: b"s"})
    assert not (tmp_path / "s/x").exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "-x"])
def test_names_that_could_leave_their_folder_are_refused(room, tmp_path, name):
    with pytest.raises(Invalid, match="cannot name"):
        room.package(parts(tmp_path, xgboost_model(), name=name), actor="a")


def test_golden_rows_of_another_width_are_refused(room, tmp_path):
    with pytest.raises(Invalid, match="golden"):
        room.package(parts(tmp_path, xgboost_model(), golden_rows=np.ones((2, 3))), actor="a")


def test_two_files_of_one_name_are_refused(room, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/model.lgb.txt").write_text("x")
    made = parts(tmp_path, lightgbm_model(), code=[tmp_path / "sub/model.lgb.txt"])
    with pytest.raises(Invalid, match="two files"):
        room.package(made, actor="a")
