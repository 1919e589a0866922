"""Forged and damaged bundles, a disk that is full, a model that does not fit: others go on."""

import resource
import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from registry.kernel.errors import Corrupt, Refused, Unavailable
from serving.bundle import MANIFEST, SEAL
from serving.loaded import Router
from serving.store import bundle_folder
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    lightgbm_model,
    open_room,
    parts,
    released,
    xgboost_model,
)

ROW = dict.fromkeys(COLUMNS, 0.5)


@pytest.fixture
def room(tmp_path):
    return open_room(tmp_path, FIELDHOUSE_SERVING_BACKUP="backup")


def place(room, record) -> Path:
    return Path(room.stores.primary.url) / bundle_folder(record.name, record.version)


@pytest.fixture
def two(room, tmp_path):
    """Two versions, both signed by the key that is trusted here."""
    first = room.package(parts(tmp_path, xgboost_model(8)), actor=AUTHOR.subject)
    return first, room.package(parts(tmp_path, xgboost_model(9)), actor=AUTHOR.subject)


def test_the_signature_of_another_bundle_does_not_fit_though_its_key_is_trusted(room, two):
    first, second = two
    (place(room, first) / SEAL).write_bytes((place(room, second) / SEAL).read_bytes())
    with pytest.raises(Corrupt, match="changed or forged"):
        room.bundle("delay", first.version)
    assert room.bundle("delay", second.version).digest == second.bundle_digest


def test_a_whole_bundle_in_another_ones_place_is_not_taken_for_it(room, two):
    first, second = two
    for file in place(room, second).iterdir():
        (place(room, first) / file.name).write_bytes(file.read_bytes())
    with pytest.raises(Corrupt, match=f"{first.version} holds delay {second.version}"):
        room.bundle("delay", first.version)


def test_a_key_that_a_bundle_brings_along_is_not_asked(room, two, tmp_path):
    """The signer's own public key beside the bundle changes nothing: trust is the server's."""
    stranger = open_room(tmp_path / "elsewhere")
    made = stranger.package(parts(tmp_path, xgboost_model(9)), actor=AUTHOR.subject)
    folder = place(room, two[1])
    for file in place(stranger, made).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "trusted.pub").write_text(stranger.signing_key.public)
    (folder / "trusted").mkdir()
    (folder / "trusted" / "own.pub").write_text(stranger.signing_key.public)
    with pytest.raises(Refused, match="not signed by a key that is trusted"):
        room.bundle("delay", made.version)


def test_files_that_nobody_signed_are_not_part_of_the_bundle(room, two):
    (place(room, two[0]) / "sitecustomize.py").write_text("raise SystemExit")
    assert "sitecustomize.py" not in room.bundle("delay", two[0].version).files


@contextmanager
def files_no_larger_than(most):
    """As on a full disk, the system itself refuses to write on."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_takes_only_part_of_a_bundle_leaves_nothing_of_it(room, tmp_path):
    made = parts(tmp_path, xgboost_model())
    room.signing_key  # noqa: B018 - made on first use
    with (
        files_no_larger_than(len(xgboost_model().data) - 1),
        pytest.raises(Unavailable, match="nothing was kept"),
    ):
        room.package(made, actor=AUTHOR.subject)
    stores = (room.stores.primary, room.stores.backup)
    assert room.registry.models.all() == () and room.registry.models.events == []
    assert [store.children("bundles/delay") for store in stores] == [[], []]
    assert room.package(made, actor=AUTHOR.subject).state == "packaged"  # with room again


def test_one_models_damaged_file_takes_no_other_model_away(room, tmp_path):
    broken = released(room, parts(tmp_path, xgboost_model()))
    released(room, parts(tmp_path, lightgbm_model(), name="other"))
    file = place(room, broken) / "model.ubj"
    file.write_bytes(file.read_bytes()[: len(xgboost_model().data) // 2])
    predictor = room.predictor(follow=False, log=False)
    assert predictor.predict("other", ROW).model == "other"
    with pytest.raises(Unavailable, match=r"not ready\n.*model\.ubj.*not what was packaged"):
        predictor.predict("delay", ROW)
    predictor.close()


def test_a_champion_that_does_not_fit_leaves_the_one_before_answering(room, tmp_path):
    first = released(room, parts(tmp_path, xgboost_model(8)))
    router = Router()
    follower = room.follower(router)
    follower.refresh()
    second = released(room, parts(tmp_path, xgboost_model(9)))
    full = {**room.settings.environ, "FIELDHOUSE_SERVING_RESERVE_BYTES": str(1 << 50)}
    room.settings = replace(room.settings, environ=full)
    routes = follower.refresh()
    assert routes.find("delay").version == first.version
    with pytest.raises(Unavailable, match="would not fit"):
        routes.find("delay", second.version)


def test_every_manifest_in_the_store_is_as_it_was_signed(room, two):
    """One byte more in the manifest, of whitespace say, is a change like others."""
    file = place(room, two[0]) / MANIFEST
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(Corrupt, match="changed or forged"):
        room.bundle("delay", two[0].version)
