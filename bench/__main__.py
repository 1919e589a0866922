"""`python -m bench [NAME…]`: runs benchmarks and writes each one's result to bench/out/NAME.json.

A benchmark is a module or package of this folder with a docstring, and a `run()` that returns
JSON-able facts. Put a new one beside the others: it is found by having `run`. What
all share is in `machine.py`.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

from bench.machine import this_machine

FOLDER = Path(__file__).parent
OUT = FOLDER / "out"


def benchmarks() -> dict[str, ModuleType]:
    """Every benchmark by name."""
    names = sorted(file.stem for file in FOLDER.glob("[a-z]*.py") if file.stem != "machine")
    names += sorted(file.parent.name for file in FOLDER.glob("[a-z]*/__init__.py"))
    modules = {name: import_module(f"bench.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "run")}


def measure(name: str, module: ModuleType) -> Path:
    """Run one benchmark and write its facts beside the machine's."""
    start = time.perf_counter()
    facts = module.run()
    took = round(time.perf_counter() - start, 3)
    document = {
        "benchmark": name,
        "about": (module.__doc__ or "").strip().splitlines()[0],
        "took_seconds": took,
        "machine": this_machine().facts(),
        "result": facts,
    }
    OUT.mkdir(exist_ok=True)
    file = OUT / f"{name}.json"
    file.write_text(json.dumps(document, indent=2) + "\n")
    return file


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; 2 when a name is none of them."""
    known = benchmarks()
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    machine = this_machine()
    print(f"{machine.processor}, {machine.cores} cores, {machine.memory_bytes / 2**30:.1f} GiB")
    for name in names or known:
        print(f"== {name}: {(known[name].__doc__ or '').strip().splitlines()[0]}")
        print(f"   {measure(name, known[name]).relative_to(FOLDER.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
