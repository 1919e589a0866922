"""Steps of bench/registry.py, each run in a process of its own: `python -m bench.registry_steps
STEP FOLDER ARGUMENT…` prints its facts as JSON, its own peak memory among them."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.registry_fleet import namespace, repository

Facts = dict[str, Any]


def fill(folder: Path, repositories: str, features: str) -> Facts:
    """Propose, approve and apply every repository of a fleet; sums of seconds by what was done."""
    from registry.cli.session import compile_here
    from registry.ports import Principal
    from registry.service.apply import apply
    from registry.service.propose import approve, propose

    ada = Principal("ada", frozenset({"author", "operator"}))
    bob = Principal("bob", frozenset({"steward"}))
    spent: dict[str, float] = defaultdict(float)
    for number in range(int(repositories)):
        opened, settings = _open(folder, number)
        made = repository(number, int(features))
        with _timed(spent, "compile"):
            compiled = compile_here(settings, made)
        with _timed(spent, "propose"):
            digest = propose(opened.context, compiled, ada).proposal.digest
        approve(opened.context, digest, bob)
        with _timed(spent, "apply"):
            apply(opened.context, digest, compiled, ada)
        opened.database.close()
    return {name: round(seconds, 3) for name, seconds in spent.items()}


def change(folder: Path, features: str) -> Facts:
    """Plan repository 0 with one feature changed, against the filled registry.

    From nothing imported to the plan: reading the definitions, taking their digests, opening the
    registry, reading what it holds, comparing, running the rules.
    """
    start = time.perf_counter()
    from registry.cli.session import compile_here
    from registry.service.check import check

    opened, settings = _open(folder, 0)
    imported = time.perf_counter()
    made = repository(0, int(features), changed=True)
    compiled = compile_here(settings, made)
    digests = time.perf_counter()
    checked = check(opened.context, compiled)
    done = time.perf_counter()
    changed = [c.name for c in checked.plan.changes if c.object == "feature"]
    assert changed == ["view_00_0000:f_00"], changed
    assert not checked.refused, checked.errors[:3]
    return {
        "open_seconds": round(imported - start, 3),
        "digests_seconds": round(digests - imported, 3),
        "compare_seconds": round(done - digests, 3),
        "plan_seconds": round(done - start, 3),
        "plan_cpu_seconds": round(time.process_time(), 3),
    }


def load(folder: Path) -> Facts:
    """Read the definitions from their files, nothing kept: Feast's import is most of it."""
    from registry.adapters.feast_loader import load_repository

    start = time.perf_counter()
    result = load_repository(folder / "feature_repo", namespace(0), seconds=180.0)
    assert result.repository is not None, result.findings
    return {"seconds": round(time.perf_counter() - start, 3)}


def land(folder: Path) -> Facts:
    """Propose, approve and apply the definitions of a project; Feast's registry is left aside."""
    from registry.bootstrap import open_registry
    from registry.cli.session import load_here
    from registry.kernel.settings import read_settings
    from registry.ports import Principal
    from registry.service.apply import apply
    from registry.service.propose import approve, propose

    start = time.perf_counter()
    settings = read_settings(folder)
    opened = open_registry(settings)
    compiled = load_here(settings).compiled
    assert compiled is not None
    ada = Principal("ada", frozenset({"author", "operator"}))
    digest = propose(opened.context, compiled, ada).proposal.digest
    approve(opened.context, digest, Principal("bob", frozenset({"steward"})))
    apply(opened.context, digest, compiled, ada)
    return {"seconds": round(time.perf_counter() - start, 3)}


def command(folder: Path, *words: str) -> Facts:
    """Run `fieldhouse` with these words in `folder`."""
    import contextlib
    import io
    import os
    import resource

    from fieldhouse.cli import main

    os.chdir(folder)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(list(words))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "seconds": round(time.perf_counter() - start, 3),
        "exit_code": code,
        "children_peak_mb": round(children / 1024, 1),
        "imported_feast": "feast" in sys.modules,
    }


class _timed:
    """Adds what a block took to `spent`: seconds, and processor seconds, which a busy machine
    does not stretch."""

    def __init__(self, spent: dict[str, float], name: str) -> None:
        self._spent, self._name = spent, name

    def __enter__(self) -> None:
        self._start, self._cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self._spent[f"{self._name}_seconds"] += time.perf_counter() - self._start
        self._spent[f"{self._name}_cpu_seconds"] += time.process_time() - self._cpu


def _open(folder: Path, number: int) -> tuple[Any, Any]:
    from registry.bootstrap import open_registry
    from registry.kernel.settings import Settings

    settings = Settings(folder, None, {"project": {"namespace": namespace(number)}}, {})
    return open_registry(settings), settings


def _peak_mb() -> float:
    """The most memory that this process itself held; getrusage would count its parent's too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


STEPS: dict[str, Callable[..., Facts]] = {
    "fill": fill,
    "change": change,
    "load": load,
    "land": land,
    "command": command,
}

if __name__ == "__main__":
    facts = STEPS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
    print(json.dumps({**facts, "peak_mb": _peak_mb()}))
