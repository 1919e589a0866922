"""Reading repositories in a process of their own: the good, the bad, and the endless.

Each run imports Feast, which takes seconds, so one bad repository holds many bad files.
"""

import time
from pathlib import Path

import pytest

from registry.adapters.feast_loader import load_repository
from registry.adapters.repository_cache import LoadResult, RepositoryCache, decode, encode
from registry.adapters.repository_files import files_digest
from registry.core.definitions import Location
from registry.core.findings import Finding
from registry.kernel.errors import Misuse

ENTITIES = """
from feast import Entity, ValueType
carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING)
"""
VIEW = """
from datetime import timedelta
from feast import FeatureView, Field
from feast.types import Float64
from fieldhouse import SqlSource, expect, governed
from entities import carrier

late = SqlSource(name="late", query="SELECT carrier, ts, delay FROM flights", timestamp_field="ts")
delays = FeatureView(
    name="delays",
    entities=[carrier],
    source=late,
    ttl=timedelta(hours=1),
    schema=[
        Field(
            name="delay",
            dtype=Float64,
            tags=governed(unit="minute"),
        ),
    ],
    tags=governed(owner="o@x", state="production", expectations=[expect.not_null("delay")]),
)
"""
ON_DEMAND = """
from feast import FeatureService, Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64
from flights.delays import delays
from lib.scale import scaled

TWICE = [Field(name="twice", dtype=Float64)]

@on_demand_feature_view(sources=[delays], schema=TWICE, mode="python")
def doubled(inputs):
    return {"twice": [scaled(x) for x in inputs["delay"]]}

board = FeatureService(name="board", features=[delays, doubled])
"""  # fmt: skip
GOOD = {
    "entities.py": ENTITIES,
    "flights/delays.py": VIEW,
    "flights/doubled.py": ON_DEMAND,
    "lib/scale.py": "FACTOR = 2\ndef scaled(x):\n    return x * FACTOR\n",
    "owners.toml": "[flights]\n",
    ".hidden/bad.py": "raise SystemExit",
}
BAD = {
    "entities.py": ENTITIES,
    "a_syntax.py": "x = 1\ndef broken(:\n",
    "b_raises.py": "import math\n\nmath.sqrt(-1)\n",
    "c_exits.py": "import sys\nsys.exit(0)\n",
    "d_leaves.py": "import os\n\n\nos._exit(0)\n",
    "e_prints.py": "print('hello')\nprint('hello again')\n",
    "f_forks.py": "import os\nos.fork()\n",
    "g_runs.py": "import subprocess\n\nsubprocess.run(['true'])\n",
    "h_writes.py": "open('left_behind', 'w').write('x')\n",
    "i_loops_back.py": "from j_loops_back import x\ny = 1\n",
    "j_loops_back.py": "from i_loops_back import y\nx = 1\n",
    "k_connects.py": "import socket\nsocket.create_connection(('127.0.0.1', 9))\n",
    "l_eats.py": "x = bytearray(1 << 40)\n",
    "json.py": "x = 1\n",
    "m_calls.py": "from helper import fail\n\nfail()\n",
    "helper.py": "def fail():\n    raise KeyError('deep')\n",
    "n_wrong.py": "from fieldhouse import governed\n\ngoverned(state='live')\n",
}


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_repository_is_read_whole_and_then_from_the_cache(tmp_path: Path) -> None:
    folder, cache = write_files(tmp_path / "repo", GOOD), tmp_path / "cache"
    result = load_repository(folder, "demo", cache=cache)
    repository = result.repository
    assert repository is not None, result.findings
    assert result.findings == ()
    (view,) = repository.views
    assert (view.name, view.domain, view.facts.owner) == ("delays", "flights", "o@x")
    lines = ["", *VIEW.split("\n")]
    assert view.location == Location("flights/delays.py", lines.index("delays = FeatureView("))
    assert view.features[0].location.line == lines.index("        Field(")
    assert repository.on_demand[0].inputs == ("delays:delay",)
    assert "FACTOR = 2" in repository.on_demand[0].code
    assert repository.services[0].refs == ("delays:delay", "doubled:twice")
    assert decode(encode(result)) == result
    start = time.perf_counter()
    again = load_repository(folder, "demo", cache=cache)
    assert time.perf_counter() - start < 1
    assert again == result
    assert again.repository is not None
    assert again.repository.views[0].location == view.location


PLACES = [
    ("definition-syntax", "a_syntax.py", 2),
    ("definition-raises", "b_raises.py", 3),
    ("definition-exits", "c_exits.py", 2),
    ("definition-exits", "d_leaves.py", 4),
    ("definition-prints", "e_prints.py", 1),
    ("definition-prints", "e_prints.py", 2),
    ("definition-forks", "f_forks.py", 2),
    ("definition-forks", "g_runs.py", 3),
    ("definition-writes", "h_writes.py", 1),
    ("definition-connects", "k_connects.py", 2),
    ("definition-memory", "l_eats.py", 1),
    ("definition-hides", "json.py", 1),
    ("definition-raises", "helper.py", 2),
    ("definition-raises", "n_wrong.py", 3),
    ("definition-circle", "i_loops_back.py", 1),
]


def test_each_wrong_thing_is_one_finding_with_its_place(tmp_path: Path) -> None:
    folder = write_files(tmp_path, BAD)
    result = load_repository(folder, "demo")
    assert result.repository is None
    found = [(f.rule, f.location.file, f.location.line) for f in result.findings]
    assert sorted(found) == sorted(PLACES)
    assert all(f.message and f.hint for f in result.findings)
    warnings = {f.rule for f in result.findings if f.severity != "error"}
    assert warnings == {"definition-prints"}
    assert not (folder / "left_behind").exists()


def test_a_file_that_loops_is_stopped_and_named(tmp_path: Path) -> None:
    loop = "def spin():\n    while True:\n        pass\n\nspin()\n"
    folder = write_files(tmp_path, {"flights/loops.py": loop})
    (finding,) = load_repository(folder, "demo", seconds=0.5).findings
    assert finding.rule == "definition-loops"
    assert finding.location.file == "flights/loops.py"
    assert finding.location.line in (2, 3)
    assert "0.5 seconds" in finding.message


def test_a_file_that_kills_its_process_is_named(tmp_path: Path) -> None:
    kill = "import os, signal\n\nos.kill(os.getpid(), signal.SIGKILL)\n"
    folder = write_files(tmp_path, {"flights/kills.py": kill})
    (finding,) = load_repository(folder, "demo").findings
    assert (finding.rule, finding.location.file) == ("definition-crashes", "flights/kills.py")


def test_definitions_see_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDHOUSE_AUTH_TOKEN", "secret")
    peek = "import os\nassert not [k for k in os.environ if 'TOKEN' in k]\nprint(len(os.environ))\n"
    folder = write_files(tmp_path, {"peek.py": peek})
    result = load_repository(folder, "demo")
    assert [f.rule for f in result.findings] == ["definition-prints"]
    assert result.repository is not None


def test_a_missing_folder_is_a_misuse(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no feature repository"):
        load_repository(tmp_path / "nowhere", "demo")


def test_every_file_counts_for_the_cache_and_no_hidden_one(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"a.py": "x = 1", "owners.toml": ""})
    first = files_digest(folder)
    write_files(folder, {".secret/x.py": "1", "__pycache__/a.pyc": "1"})
    assert files_digest(folder) == first
    write_files(folder, {"owners.toml": "[a]"})
    changed = files_digest(folder)
    (folder / "a.py").rename(folder / "b.py")
    assert len({first, changed, files_digest(folder)}) == 3


def test_a_damaged_cache_is_no_answer(tmp_path: Path) -> None:
    cache = RepositoryCache(tmp_path)
    result = LoadResult(None, (Finding("r", "meaning", "error", "m", "s"),))
    cache.write("sha256:abc", result)
    assert cache.read("sha256:abc") == result
    (tmp_path / "repository-abc.json").write_bytes(b"{")
    assert cache.read("sha256:abc") is None
    assert cache.read("sha256:other") is None
