"""The whole examination, step by step: make, verify, register, propose, count, compare, draw."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.duplicates.ablation import without_each_tier
from bench.duplicates.answers import Answer
from bench.duplicates.baselines import compare_baselines, pairing
from bench.duplicates.examine import Examined, Examiner, code
from bench.duplicates.families import DEVELOPMENT, HELD_OUT, held_out
from bench.duplicates.labels import Corpus, corpus_values, make_corpus
from bench.duplicates.metrics import by_family, precision_recall, summary
from bench.duplicates.project import ROOT, Project, make_project
from bench.duplicates.public import examine_public
from bench.duplicates.repository import known_repository
from bench.duplicates.scoring import calibration, reliability_svg, score
from bench.duplicates.searching import recall_at_5
from bench.duplicates.telling import found_by_telling

PICTURE: Final = ROOT / "docs" / "pictures" / "duplicates-calibration.svg"


def run_examination(environ: Mapping[str, str]) -> dict[str, Any]:
    """See `bench.duplicates`."""
    folder = Path(environ.get("BENCH_FOLDER") or ROOT / ".fieldhouse" / "bench-duplicates")
    project = open_project(folder)
    clock = _Stopwatch()
    corpus = make_corpus(project, float(environ.get("BENCH_SHARE", "1")))
    clock.lap("labels")
    register(project, corpus)
    clock.lap("registration")
    minutes = float(environ.get("BENCH_MINUTES", "inf"))
    processes = int(environ.get("BENCH_PROCESSES", os.cpu_count() or 1))
    examiner = Examiner(project, until=time.time() + 60 * minutes, processes=processes)
    if not environ.get("BENCH_RESUME"):
        shutil.rmtree(folder / "findings", ignore_errors=True)
    examined = examiner.examine(corpus.views, corpus.equals)
    clock.lap("checks")
    facts = {**_described(corpus, examined), **judged(examined.answers)}
    PICTURE.write_text(reliability_svg(facts["calibration"]))
    facts["without a tier, held out"] = without_each_tier(
        examiner, corpus, [a for a in examined.answers if a.split == HELD_OUT]
    )
    clock.lap("without definitions")
    facts["recall at 5, held out"] = recall_at_5(
        project,
        [v for v in corpus.views if held_out(v.cases[0].family)],
        corpus.equals,
        processes,
    )
    clock.lap("searches")
    values = corpus_values(project, corpus)
    facts["found, held out, where values"] = found_by_telling(
        [a for a in examined.answers if a.split == HELD_OUT], values
    )
    facts["baselines, held out"] = compare_baselines(pairing(corpus.known, corpus.views), values)
    clock.lap("baselines")
    facts["public"] = examine_public(environ, folder / "public", processes)
    clock.lap("public pairs")
    return {"seconds": clock.laps, **facts}


class _Stopwatch:
    """Seconds of wall clock of each step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.laps[step] = round(now - self._last, 1)
        self._last = now


def open_project(folder: Path) -> Project:
    """The project in this folder, made when it is not there: the flights must have been built."""
    if (folder / "fieldhouse.toml").exists():
        return Project(folder)
    from fieldhouse.demo.flights import build_warehouse

    flights = ROOT / ".fieldhouse" / "warehouse"
    build_warehouse(flights)
    return make_project(folder, flights)


def register(project: Project, corpus: Corpus) -> None:
    """Take the registered views through review, and sketch them; nothing where the code that there
    is now has done so."""
    done = project.folder / "registered"
    state = f"{code('registry')} {code('warehouse')} {corpus.digest}"
    if done.exists() and done.read_text() == state:
        return
    project.forget_registry()
    shutil.rmtree(project.folder / "known", ignore_errors=True)
    project.land(known_repository(project.folder / "known", corpus.known))
    done.write_text(state)


def judged(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of the held-out families, which count, and of the others; by family; the score's meaning."""
    splits = {s: [a for a in answers if a.split == s] for s in (HELD_OUT, DEVELOPMENT)}
    facts: dict[str, Any] = {s: summary(found) for s, found in splits.items()}
    for split, asked in splits.items():
        facts[split]["pr_auc"] = precision_recall(
            [score(a) if a.found or not a.of else 0.0 for a in asked], [bool(a.of) for a in asked]
        )["pr_auc"]
    facts["by family"] = by_family(answers)
    facts["calibration"] = calibration(answers)
    facts["wrong"] = [a.facts() for a in answers if a.wrong]
    return facts


def _described(corpus: Corpus, examined: Examined) -> dict[str, Any]:
    labels = Counter(answer.label for answer in examined.answers)
    return {
        "batches": [examined.batches, examined.asked],
        "seconds of each check": examined.seconds,
        "commits": examined.commits,
        "registered": sum(len(k.view.items) for k in corpus.known),
        "cases": dict(sorted(labels.items())),
        "labels that did not hold": {f: len(found) for f, found in sorted(corpus.dropped.items())},
    }
