"""Bundles made from a specification, trained again from themselves, restored from the backup."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from registry.kernel.errors import Corrupt, Invalid, Misuse, NotFound, Refused, Unavailable
from registry.testing import InMemoryRegistry
from serving.bootstrap import open_serving
from serving.packing import read_spec
from serving.rebuild import Tolerance, other_packages
from serving.testing import FakeLookup
from tests.model_room import (
    AUTHOR,
    COLUMNS,
    OPERATOR,
    approved,
    flights,
    passing_report,
    settings_in,
    state,
)
from tests.pipeline_room import SPEC, pipeline_room


@pytest.fixture
def room(tmp_path: Path):
    return pipeline_room(tmp_path)


def package(room, folder):
    spec = read_spec(folder / "delay.toml")
    return room.package_spec(spec, folder, actor=AUTHOR.subject)


def test_a_specification_becomes_a_bundle_with_golden_rows_and_ranges(room, tmp_path):
    record = package(room, tmp_path)
    manifest = room.bundle("delay", record.version).manifest
    assert manifest.code == ("train.py",) and manifest.lock == "lock.txt"
    assert [tensor.name for tensor in manifest.signature.columns] == list(COLUMNS)
    assert manifest.signature.by_name["distance"].low == -9.0
    assert record.facts["training_set"] == "planes"


def test_a_specification_that_is_none_is_refused_with_the_reason(room, tmp_path):
    file = tmp_path / "delay.toml"
    with pytest.raises(Misuse):
        read_spec(tmp_path / "nothing.toml")
    for text, why in [("x = ", "no TOML"), (SPEC + "\n[colour]", "colour"), ("name='a'", "file")]:
        file.write_text(text)
        with pytest.raises(Invalid, match=why):
            read_spec(file)
    file.write_text(SPEC.replace("distance", "height"))
    with pytest.raises(Invalid, match="ranges are given for height"):
        package(room, tmp_path)
    file.write_text(SPEC.replace('lock.txt"', 'lock.txt"\ntask = "ranking"'))
    with pytest.raises(Invalid, match="'ranking' is no task"):
        package(room, tmp_path)


def test_the_pipeline_still_runs_and_gives_the_same_model(room, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_MINE", "1")
    record = package(room, tmp_path)
    found = room.rebuild("delay", actor=AUTHOR.subject)
    assert found.passed and found.same_file and found.worst == 0.0, found.message
    assert found.rebuilt_metric == found.packaged_metric > 0.6
    assert found.other_packages == (f"numpy 0.1, installed {np.__version__}",)
    assert room.registry.models.events[-1][1] == "model:rebuilt"
    assert room.registry.models.get("delay", record.version).state == "packaged"


def changed(room, tmp_path, old, new):
    code = (tmp_path / "train.py").read_text()
    assert old in code
    (tmp_path / "train.py").write_text(code.replace(old, new))
    return package(room, tmp_path)


def test_code_that_makes_another_model_is_found_out(room, tmp_path):
    changed(room, tmp_path, "ROUNDS = 120", "ROUNDS = 3")
    found = room.rebuild("delay", actor=AUTHOR.subject)
    assert not found.passed and not found.same_file and found.worst > 0.01
    assert room.registry.models.events[-1][1] == "model:rebuild-failed"


def test_the_code_sees_nothing_of_our_environment(room, tmp_path, monkeypatch):
    monkeypatch.setenv("FIELDHOUSE_AUTH_TOKEN", "secret")
    guard = (
        'import os\nassert not [n for n in os.environ if n.startswith("FIELDHOUSE")]\nROUNDS = 120'
    )
    changed(room, tmp_path, "ROUNDS = 120", guard)
    assert room.rebuild("delay", None, Tolerance(0.0, 0.0), actor=AUTHOR.subject).passed


def test_code_that_no_longer_runs_is_refused_with_its_last_words(room, tmp_path):
    changed(room, tmp_path, "ROUNDS = 120", "ROUNDS = 1 / 0")
    with pytest.raises(Refused, match="ZeroDivisionError"):
        room.rebuild("delay", actor=AUTHOR.subject)


def test_a_bundle_without_code_or_with_another_training_set_is_not_rebuilt(room, tmp_path):
    record = package(room, tmp_path)
    bare = SPEC.replace('code = ["train.py"]', "")
    (tmp_path / "delay.toml").write_text(bare)
    package(room, tmp_path)
    with pytest.raises(Refused, match="no training code"):
        room.rebuild("delay", actor=AUTHOR.subject)
    shutil.rmtree(tmp_path / ".fieldhouse/datasets/planes")
    with pytest.raises(NotFound, match="planes"):
        room.rebuild("delay", record.version, actor=AUTHOR.subject)


def test_packages_that_are_as_locked_are_not_mentioned(room, tmp_path):
    (tmp_path / "lock.txt").write_text(f"numpy=={np.__version__} \\\n# a==1\n  indented==2\n")
    bundle = room.bundle("delay", package(room, tmp_path).version)
    assert other_packages(bundle) == ()


@pytest.mark.slow
def test_an_environment_is_made_from_the_lock_or_said_not_to_be(room, tmp_path):
    package(room, tmp_path)
    with pytest.raises(Unavailable, match="cannot be made"):
        room.rebuild("delay", venv=True, actor=AUTHOR.subject)
    (tmp_path / "lock.txt").write_text("iniconfig==2.1.0\n")
    changed(room, tmp_path, "import numpy", "import iniconfig, sys\nsys.exit('in the venv')")
    with pytest.raises(Refused, match="in the venv"):
        room.rebuild("delay", venv=True, actor=AUTHOR.subject)


def released(room, tmp_path):
    record = package(room, tmp_path)
    room.keep_report(record, passing_report(record), "ci@example.com")
    approved(room, record)
    return room.promote("delay", record.version, OPERATOR)


def ask(room):
    predictor = room.predictor(lookup=False, log=False, follow=False)
    rows = {name: flights().rows[:20, i] for i, name in enumerate(COLUMNS)}
    return predictor.predict("delay", rows).outputs["probability"]


def test_a_model_restored_from_the_backup_alone_serves_the_same_predictions(room, tmp_path):
    record = released(room, tmp_path)
    before = ask(room)
    shutil.rmtree(tmp_path / ".fieldhouse/models")
    with pytest.raises(Unavailable):
        ask(room)
    (found,) = room.restore("delay", actor=OPERATOR.subject)
    assert (found.version, found.intact, found.reports) == (record.version, False, 1)
    assert ask(room).tolist() == before.tolist()
    assert room.report("delay").digest == record.facts["report_digest"]
    (again,) = room.restore("delay", record.version, actor=OPERATOR.subject)
    assert (again.intact, again.reports) == (True, 0)


def test_a_version_that_the_registry_lost_too_comes_back_as_packaged(room, tmp_path):
    record = released(room, tmp_path)
    shutil.rmtree(tmp_path / ".fieldhouse/models")
    fresh = open_serving(room.settings, InMemoryRegistry(state()), FakeLookup("plane", {}))
    (found,) = fresh.restore("delay", actor=OPERATOR.subject)
    known = fresh.registry.models.get("delay", record.version)
    assert (found.state, known.state, known.bundle_digest) == (
        "packaged", "packaged", record.bundle_digest,
    )  # fmt: skip


def test_a_damaged_backup_restores_nothing_and_packaging_again_mends_it(room, tmp_path):
    record = package(room, tmp_path)
    model = tmp_path / "copy/bundles/delay" / record.version / "model.ubj"
    model.write_bytes(model.read_bytes()[:100])
    with pytest.raises(Corrupt, match=r"model\.ubj"):
        room.restore("delay", actor=OPERATOR.subject)
    assert room.bundle("delay", record.version).model
    package(room, tmp_path)
    assert room.restore("delay", actor=OPERATOR.subject)[0].intact


def test_what_the_backup_does_not_have_is_not_found_with_what_it_has(room, tmp_path):
    package(room, tmp_path)
    with pytest.raises(NotFound, match="nearest: delay"):
        room.restore("delays", actor=OPERATOR.subject)
    bare = open_serving(settings_in(tmp_path), room.registry)
    with pytest.raises(Misuse, match="no backup"):
        bare.restore("delay", actor=OPERATOR.subject)


def test_a_report_damaged_in_the_primary_store_is_replaced_from_the_backup(room, tmp_path):
    record = released(room, tmp_path)
    file = Path(record.facts["report_location"]) / "report.json"
    file.write_bytes(json.dumps({"x": 1}).encode())
    with pytest.raises(Corrupt):
        room.report("delay")
    assert room.restore("delay", actor=OPERATOR.subject)[0].reports == 1
    assert room.report("delay").passed
