"""Proposes the corpus through `fieldhouse check`, batch by batch, and keeps what it says.

A batch is one folder of definitions with up to `A_BATCH` views, checked in the namespace of another
team, so all its features are new. No two copies of one registered feature share a batch. One check
loads a folder once and answers for all its features.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.duplicates.answers import Answer, Equals, alone, read_answers, telling
from bench.duplicates.corpus import CaseView
from bench.duplicates.project import ROOT, Project
from bench.duplicates.repository import case_repository

A_BATCH: Final = 60


def batches(views: Sequence[CaseView], size: int = A_BATCH) -> list[list[CaseView]]:
    """Views dealt into batches so that no registered feature is copied twice in one."""
    count = -(-len(views) // size)
    made: list[list[CaseView]] = [[] for _ in range(count)]
    copied: list[set[str]] = [set() for _ in range(count)]
    for view in sorted(views, key=lambda v: (not v.copies, v.name)):
        free = [n for n in range(len(made)) if not copied[n] & view.copies]
        if not free:
            made.append([])
            copied.append(set())
            free = [len(made) - 1]
        place = min(free, key=lambda n: len(made[n]))
        made[place].append(view)
        copied[place] |= view.copies
    return made


@dataclass(frozen=True, slots=True)
class Examined:
    """The answers of the batches that were checked in time, by which code, and how many seconds of
    wall clock each took."""

    answers: tuple[Answer, ...]
    batches: int
    asked: int
    commits: tuple[str, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Examiner:
    """Asks `project` in `processes` checks at a time. What a check found is kept under `name` and
    not asked again; after the instant `until` (of `time.time`) no further batch is begun."""

    project: Project
    name: str = "all"
    until: float = float("inf")
    processes: int = os.cpu_count() or 1

    def examine(self, views: Sequence[CaseView], equals: Equals = alone) -> Examined:
        """The answer to every case of the batches that were checked."""
        made = batches(views)
        with ThreadPoolExecutor(self.processes) as pool:
            records = list(pool.map(self._record, range(len(made)), made))
        known = [(b, r) for b, r in zip(made, records, strict=True) if r is not None]
        answers = [a for b, r in known for a in read_answers(b, r["findings"], equals)]
        return Examined(
            tuple(answers), len(known), len(made),
            tuple(dict.fromkeys(r["commit"] for _, r in known)),
            tuple(r["seconds"] for _, r in known),
        )  # fmt: skip

    @property
    def kept(self) -> Path:
        return self.project.folder / "findings" / self.name

    def forget(self) -> None:
        """Remove what earlier examinations were told."""
        shutil.rmtree(self.kept, ignore_errors=True)

    def _record(self, number: int, batch: Sequence[CaseView]) -> dict[str, Any] | None:
        file = self.kept / f"batch_{number:03d}.json"
        if file.exists():
            record: dict[str, Any] = json.loads(file.read_text())
            return record
        if time.time() > self.until:
            return None
        record = self._ask(number, batch)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record))
        return record

    def _ask(self, number: int, batch: Sequence[CaseView]) -> dict[str, Any]:
        folder = self.project.folder / "batches" / self.name / f"{number:03d}"
        shutil.rmtree(folder, ignore_errors=True)
        case_repository(folder, batch)
        start = time.perf_counter()
        findings = self.project.check(folder)
        return {
            "commit": code(),
            "seconds": round(time.perf_counter() - start, 2),
            "findings": [finding for finding in findings if telling(finding)],
        }


def code(folder: str = "") -> str:
    """The commit that is examined, or the digest of one folder of it; empty where there is none."""
    named = f"HEAD:{folder}" if folder else "HEAD"
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short", named]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
