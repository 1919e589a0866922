import subprocess
import sys
from pathlib import Path

import pytest

from fieldhouse.rooms import STANDS_ON, RoomHidden, intruder, load, require


def _python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.parametrize("room", STANDS_ON)
def test_every_room_of_this_house_is_ours(room: str) -> None:
    require(room)
    assert intruder(room) is None


@pytest.mark.parametrize("name", ["training.py", "training/__init__.py", "training/notes.txt"])
def test_a_file_of_a_rooms_name_is_named_when_python_would_take_it(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('somebody else ran')")
    ran = _python(tmp_path, "from fieldhouse.rooms import intruder; print(intruder('training'))")
    in_the_way = name.endswith(".py")  # a folder without __init__.py loses against our package
    assert ran.stdout.strip() == (str(tmp_path / name) if in_the_way else "None")


def test_the_door_refuses_to_load_somebody_elses_room(tmp_path: Path) -> None:
    (tmp_path / "registry.py").write_text("raise SystemExit('somebody else ran')")
    ran = _python(tmp_path, "from fieldhouse import governed")
    assert ran.returncode == 1
    assert f"found: {tmp_path / 'registry.py'}" in ran.stderr
    assert "somebody else ran" not in ran.stderr


def test_a_hidden_room_stops_the_rooms_that_stand_on_it(tmp_path: Path) -> None:
    (tmp_path / "warehouse.py").write_text("")
    ran = _python(tmp_path, "from fieldhouse.rooms import require; require('training')")
    assert "cannot load its room 'warehouse'" in ran.stderr


def test_a_hidden_room_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "training.py").write_text("")
    ran = _python(tmp_path, "from fieldhouse import governed; print(governed.__name__)")
    assert (ran.stdout, ran.stderr) == ("governed\n", "")


def test_a_room_that_is_not_installed_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(STANDS_ON, "cellar", ())
    with pytest.raises(RoomHidden, match="missing from this installation"):
        load("cellar.wine")
