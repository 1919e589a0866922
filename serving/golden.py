"""Golden outputs from the training framework's own call, in a process that knows nothing of ours.

The code is the author's: `predict(model_file, rows)` with the file's path and float64 [n, width],
giving the output by name, or the values alone where there is one output.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid, Misuse
from serving.tensors import Array, dtype_of

SECONDS = 120.0
_ASK = """
import runpy, sys
import numpy as np
code, model, rows, answers, *names = sys.argv[1:]
found = runpy.run_path(code)["predict"](model, np.load(rows))
if not isinstance(found, dict):
    found = {names[0]: found}
np.savez(answers, **{name: np.asarray(found[name]) for name in names})
"""


def ask_framework(
    code: Path, model: Path, rows: NDArray[np.float64], outputs: Mapping[str, str]
) -> dict[str, Array]:
    """The framework's answers to `rows` by output name, in the datatypes that `outputs` says.

    Runs `code` isolated from this project and its environment. Raises `Misuse` (no file) or
    `Invalid` with the code's last words, or when it did not answer every row with a number.
    """
    for file in (code, model):
        if not file.is_file():
            raise Misuse(f"cannot read {file}", "the specification names it")
    with tempfile.TemporaryDirectory(prefix="fh-golden-") as scratch:
        given, answers = Path(scratch) / "rows.npy", Path(scratch) / "answers.npz"
        np.save(given, rows)
        command = [sys.executable, "-I", "-c", _ASK, str(code.resolve()), str(model.resolve())]
        _run([*command, str(given), str(answers), *outputs], scratch, code)
        with np.load(answers) as found:
            return {
                name: _checked(name, found[name], datatype, len(rows))
                for name, datatype in outputs.items()
            }


def _run(command: list[str], scratch: str, code: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": scratch, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise Invalid(f"{code.name} took longer than {SECONDS:.0f} seconds") from error
    if done.returncode:
        raise Invalid(f"{code.name} gave no golden outputs", done.stderr.strip()[-300:])


def _checked(name: str, values: Array, datatype: str, count: int) -> Array:
    if values.dtype.kind not in "fiub" or len(values) != count:
        raise Invalid(
            f"golden output {name!r} has shape {list(values.shape)} of {values.dtype}",
            f"{count} rows of numbers were asked for",
        )
    return values.astype(dtype_of(datatype, name))
