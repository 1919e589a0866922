"""Whether a model fits, and turns at loading."""

import threading

import pytest

from registry.kernel.memory import available_bytes
from serving.bundle import LAYOUT, FileEntry, Manifest, ModelFile
from serving.capacity import DoesNotFit, check_fits, loading_turn, needed_bytes
from serving.store import Bundle
from tests.model_room import PLAIN

MIB = 1 << 20


@pytest.fixture
def bundle():
    entry = FileEntry("m.ubj", "sha256:x", 100 * MIB)
    manifest = Manifest(LAYOUT, "m", "binary", ModelFile("m.ubj", "xgboost"), PLAIN, (entry,))
    return Bundle(manifest, "", "", {})


def test_a_model_that_fits_with_the_reserve_is_let_in(bundle):
    check_fits(bundle, 64 * MIB, available=needed_bytes(bundle) + 64 * MIB)


def test_a_model_that_would_take_the_reserve_is_refused_in_numbers(bundle):
    with pytest.raises(DoesNotFit, match=r"416 MiB to load, 400 MiB are left"):
        check_fits(bundle, 0, available=400 * MIB)


def group(folder, limit, used, files):
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {files}\n")
    return folder


def test_the_least_of_machine_and_group_counts(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable: 2048 kB\n")
    assert available_bytes(tmp_path / "none", meminfo) == 2 * MIB
    made = group(tmp_path, 3 * MIB, 2 * MIB, MIB // 2)
    assert available_bytes(made, meminfo) == MIB + MIB // 2
    assert available_bytes(group(tmp_path, "max", MIB, 0), meminfo) == 2 * MIB


def test_where_the_system_says_nothing_everything_is_let_in(tmp_path, bundle):
    assert available_bytes(tmp_path, tmp_path / "none") is None


def test_loads_take_turns(tmp_path):
    at_once, most = 0, 0

    def load():
        nonlocal at_once, most
        with loading_turn(tmp_path / "lock"):
            at_once += 1
            most = max(most, at_once)
            threading.Event().wait(0.02)
            at_once -= 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
