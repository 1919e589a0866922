"""Runs on-demand functions in a process of its own, over samples: for looking, never for serving.

A function that loops or takes all memory ends that process and not ours. As with the definitions
that it comes from, the limits contain accidents and are no security boundary.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
from pyarrow import feather

from registry.adapters.limited_process import Outcome, run_limited
from registry.core.published import PublishedOnDemand

RUNNER = "warehouse.computing_runner"
JOBS = "jobs.json"
SECONDS = 10.0  # of processor time, for each job
STARTUP_SECONDS = 60.0
MEMORY_MB = 4096


class Limits(msgspec.Struct):
    """Of one job: seconds of processor time; of the process: megabytes of address space."""

    seconds: float = SECONDS
    memory_mb: int = MEMORY_MB


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """On-demand views, inputs before those that use them; the features of the last are wanted.

    `given` holds the stored inputs as `view__feature`, and request fields by their names: a row for
    each place that is looked at.
    """

    views: tuple[PublishedOnDemand, ...]
    given: pa.Table


class Order(msgspec.Struct):
    """What the process is told beside the tables."""

    limits: Limits
    jobs: list[tuple[PublishedOnDemand, ...]]


def compute_apart(jobs: Sequence[Job], limits: Limits | None = None) -> list[pa.Table | str]:
    """For each job the features of its last view, Arrow columns of their declared types, a row for
    each row given; or why there are none, in a line."""
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="fieldhouse-compute-") as scratch:
        folder = Path(scratch)
        order = Order(limits, [job.views for job in jobs])
        (folder / JOBS).write_bytes(msgspec.json.encode(order))
        for number, job in enumerate(jobs):
            feather.write_feather(job.given, str(given_file(folder, number)), "uncompressed")
        arguments = [sys.executable, "-P", "-m", RUNNER, scratch]
        most = STARTUP_SECONDS + 3 * limits.seconds * len(jobs)
        ended = run_limited(arguments, folder=folder, seconds=most)
        return [_answer(folder, number, ended) for number in range(len(jobs))]


def given_file(folder: Path, number: int) -> Path:
    return folder / f"given-{number}.arrow"


def answer_file(folder: Path, number: int) -> Path:
    return folder / f"answer-{number}.arrow"


def reason_file(folder: Path, number: int) -> Path:
    return folder / f"answer-{number}.txt"


def _answer(folder: Path, number: int, ended: Outcome) -> pa.Table | str:
    reason = reason_file(folder, number)
    if reason.exists():
        return reason.read_text()
    if answer_file(folder, number).exists():
        return feather.read_table(str(answer_file(folder, number)), memory_map=False)
    if ended.timed_out:
        return "its code, or that of a view before it, did not come to an end"
    last = ended.stderr.strip().splitlines()[-1:] or ["nothing was said"]
    return f"its process ended (exit code {ended.code}): {last[0][:200]}"
