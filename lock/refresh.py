"""Resolve pyproject.toml into lock/{demo,test,all}.txt: every version and hash, no index host.

Run by `make lock`. The widest lock is resolved first and constrains the others, so that a version
is the same at every depth.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
TESTED = ["demo", "lightgbm", "onnx", "polars", "postgres", "skops"]
DEPTHS = {
    "all": (["--all-extras"], ["dev", "fuzz"]),
    "test": ([f"--extra={extra}" for extra in TESTED], ["dev"]),
    "demo": (["--extra=demo"], ["build"]),
}


def compile_lock(depth: str, extras: list[str], groups: list[str]) -> None:
    """Write lock/<depth>.txt; raises CalledProcessError when nothing satisfies the bounds."""
    out = HERE / f"{depth}.txt"
    constraint = [] if depth == "all" else ["-c", str(HERE / "all.txt")]
    out.unlink(missing_ok=True)
    command = ["uv", "pip", "compile", str(ROOT / "pyproject.toml"), "-o", str(out)]
    command += ["--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--allow-unsafe", "-q"]
    command += [*extras, *(f"--group={group}" for group in groups), *constraint]
    subprocess.run([sys.executable, "-m", *command], check=True, cwd=ROOT)


if __name__ == "__main__":
    for name, (extras, groups) in DEPTHS.items():
        compile_lock(name, extras, groups)
        print(f"lock/{name}.txt")
