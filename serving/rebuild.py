"""Runs a bundle's training code again, on its own data, and compares what comes out.

A pipeline is versioned only if it still runs. The code runs in a process of its own without our
environment: with this interpreter, or in a virtual environment made from the bundle's lock.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from registry.adapters.limited_process import run_limited
from registry.kernel.canonical import digest_bytes
from registry.kernel.errors import Corrupt, Refused, Unavailable
from serving.bundle import GOLDEN, decode_golden
from serving.gate.better import scores_of
from serving.gate.compare import compare, metric_of
from serving.gate.policy import GatePolicy
from serving.offline import heldout_of
from serving.room import Room
from serving.runtimes import open_runtime
from serving.store import Bundle

if TYPE_CHECKING:
    from training.dataset import TrainingSet

Floats = NDArray[np.float64]
_VENV_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the rebuilt model may be off: its metric, and any one prediction."""

    metric: float = 0.001
    prediction: float = 1e-6


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild gave. `same_file` says that the very same bytes came out.

    `worst` is the largest difference of a prediction on `rows` held-out rows, `golden_worst` on the
    golden ones. `other_packages` are those whose version is not the lock's.
    """

    name: str
    version: str
    passed: bool
    message: str
    environment: str
    seconds: float
    same_file: bool
    metric: str
    packaged_metric: float
    rebuilt_metric: float
    rows: int
    worst: float
    golden_worst: float
    other_packages: tuple[str, ...] = ()


def rebuild_model(
    room: Room,
    bundle: Bundle,
    tolerance: Tolerance,
    *,
    part: str = "test",
    venv: bool = False,
    seconds: float = 3600.0,
) -> Rebuilt:
    """Train again and compare on the training set's `part`.

    Raises `Refused` (no code, no training set, the code fails), `NotFound` (its training set is
    gone), `Corrupt` (the set is another one) or `Unavailable` (no environment could be made).
    """
    trained = _training_set(room, bundle)
    begun = perf_counter()
    with tempfile.TemporaryDirectory(prefix="fieldhouse-rebuild-") as scratch:
        folder = Path(scratch)
        python = _make_venv(bundle, folder) if venv else Path(sys.executable)
        again = _retrain(bundle, trained, folder, python, seconds)
    spent = perf_counter() - begun
    found = _compare(room, bundle, again, trained, part, tolerance)
    here = f"this Python, {sys.version.split()[0]}"
    made_in = "a virtual environment made from its lock" if venv else here
    return replace(
        found,
        environment=made_in,
        seconds=round(spent, 3),
        other_packages=() if venv else other_packages(bundle),
    )


def _training_set(room: Room, bundle: Bundle) -> "TrainingSet":
    from training.bootstrap import open_training

    manifest = bundle.manifest
    if not manifest.code or manifest.trained_on is None:
        raise Refused(
            f"{manifest.name} {manifest.version} cannot be rebuilt",
            "its bundle holds no training code" if not manifest.code else "or no training set",
            "package it with its code and training set",
        )
    trained = open_training(room.settings, registry=room.registry).load(manifest.trained_on.name)
    if trained.digest != manifest.trained_on.manifest_digest:
        raise Corrupt(
            f"training set {trained.name} is not the one that {manifest.name} was trained on",
            f"its manifest is {trained.digest}, that was {manifest.trained_on.manifest_digest}",
        )
    return trained


def _retrain(
    bundle: Bundle, trained: "TrainingSet", folder: Path, python: Path, seconds: float
) -> bytes:
    """The model file that the code writes: `python CODE DATASET_FOLDER MODEL_FILE`."""
    manifest = bundle.manifest
    work, data = folder / "work", folder / "data"
    work.mkdir()
    shutil.copytree(trained.folder, data)
    for name in manifest.code:
        (work / name).write_bytes(bundle.files[name])
    out = work / f"rebuilt-{manifest.model.file}"
    command = [str(python), "-P", manifest.code[0], str(data), str(out)]
    ended = run_limited(command, folder=work, seconds=seconds)
    if ended.code != 0 or not out.is_file():
        how = "did not end in time" if ended.timed_out else f"ended with code {ended.code}"
        raise Refused(
            f"the training code of {manifest.name} {manifest.version} {how}", ended.stderr[-1500:]
        )
    return out.read_bytes()


def _make_venv(bundle: Bundle, folder: Path) -> Path:
    """A new virtual environment with exactly what the bundle's lock names."""
    lock = bundle.manifest.lock
    if lock is None:
        raise Refused("the bundle holds no lock to make an environment from")
    file, home = folder / lock, folder / "venv"
    file.write_bytes(bundle.files[lock])
    hashed = ["--require-hashes"] if b"--hash=" in bundle.files[lock] else []
    python = home / "bin" / "python"
    steps = (
        [sys.executable, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", "-q", *hashed, "-r", str(file)],
    )
    for step in steps:
        ended = subprocess.run(
            step, capture_output=True, text=True, timeout=_VENV_SECONDS, check=False
        )
        if ended.returncode != 0:
            raise Unavailable("the environment of the lock cannot be made", ended.stderr[-1500:])
    return python


def _compare(
    room: Room,
    bundle: Bundle,
    again: bytes,
    trained: "TrainingSet",
    part: str,
    tolerance: Tolerance,
) -> Rebuilt:
    manifest = bundle.manifest
    heldout = heldout_of(trained, part, manifest.signature)
    rebuilt = replace(bundle, files={**bundle.files, manifest.model.file: again})
    golden = decode_golden(bundle.files[GOLDEN])
    before, after = (_outputs(room, one, heldout.rows) for one in (bundle, rebuilt))
    golden_before, golden_after = (_outputs(room, one, golden.rows) for one in (bundle, rebuilt))
    metric = metric_of(manifest.task, GatePolicy())
    new, old = scores_of(after, manifest.task), scores_of(before, manifest.task)
    found = compare(metric, heldout.labels, new, old, GatePolicy(bootstrap_samples=2))
    worst, golden_worst = _worst(before, after), _worst(golden_before, golden_after)
    off = abs(found.candidate - found.other)
    passed = off <= tolerance.metric and max(worst, golden_worst) <= tolerance.prediction
    message = (
        f"{metric} {found.candidate:.6f}, packaged {found.other:.6f}, allowed to differ by "
        f"{tolerance.metric:g}; predictions differ by at most {worst:.3g} on {len(before)} rows, "
        f"allowed {tolerance.prediction:g}"
    )
    return Rebuilt(
        manifest.name, manifest.version, passed, message, "", 0.0,
        digest_bytes(again) == digest_bytes(bundle.model), metric, found.other, found.candidate,
        len(before), worst, golden_worst,
    )  # fmt: skip


def _outputs(room: Room, bundle: Bundle, rows: Floats) -> Floats:
    runtime = open_runtime(bundle, room.policy)
    try:
        outputs = runtime.predict(np.ascontiguousarray(rows, np.float64))
        first = outputs[bundle.manifest.signature.outputs[0].name]
        return np.asarray(first, np.float64)
    finally:
        runtime.unload()


def _worst(left: Floats, right: Floats) -> float:
    if left.shape != right.shape or not np.array_equal(np.isnan(left), np.isnan(right)):
        return float("inf")
    return float(np.nan_to_num(np.abs(left - right)).max(initial=0.0))


def other_packages(bundle: Bundle) -> tuple[str, ...]:
    """`name locked, installed` of each package of the lock that is here in another version."""
    if bundle.manifest.lock is None:
        return ()
    found = []
    for line in bundle.files[bundle.manifest.lock].decode(errors="replace").splitlines():
        name, separator, rest = line.partition("==")
        if not separator or name != name.strip() or name.startswith("#"):
            continue
        locked = rest.split()[0].split(";")[0]
        installed = _installed(name.split("[")[0])
        if installed not in (None, locked):
            found.append(f"{name} {locked}, installed {installed}")
    return tuple(found)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
