"""The whole examination, step by step: make, verify, register, propose, count, compare, draw."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.duplicates import truth
from bench.duplicates.baselines import case_key, compare_baselines, pairing
from bench.duplicates.corpus import CaseView, Known, case_views, known_views
from bench.duplicates.examine import Answer, Examined, examine, forget
from bench.duplicates.families import DEVELOPMENT, HELD_OUT, held_out
from bench.duplicates.metrics import by_family, precision_recall, summary
from bench.duplicates.project import ROOT, VALUES, Project, connect, make_project
from bench.duplicates.public import examine_public, public_folder
from bench.duplicates.repository import known_repository
from bench.duplicates.scoring import calibration, reliability_svg, score
from bench.duplicates.searching import recall_at_5

OUT: Final = ROOT / "bench" / "out"
# A tier is removed by a setting, as a project would; every other tier stays.
WITHOUT: Final[Mapping[str, Mapping[str, str]]] = {
    "values": {VALUES: "false"},
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Registered views, verified cases, and what was dropped, by family."""

    known: Sequence[Known]
    views: Sequence[CaseView]
    dropped: Mapping[str, Sequence[str]]


def run_examination(environ: Mapping[str, str]) -> dict[str, Any]:
    """See `bench.duplicates`."""
    folder = Path(environ.get("BENCH_FOLDER") or ROOT / ".fieldhouse" / "bench-duplicates")
    project = open_project(folder)
    corpus = make_corpus(project, float(environ.get("BENCH_SHARE", "1")))
    if not (folder / "known").exists():
        project.land(known_repository(folder / "known", corpus.known))
    equals = _equals(truth.equals_of_known(_connection(project), corpus.known))
    if not environ.get("BENCH_RESUME"):
        forget(project)
    until = time.time() + 60 * float(environ.get("BENCH_MINUTES", "inf"))
    examined = examine(project, corpus.views, until=until)
    answers = _right(examined, equals)
    facts = {**_described(corpus, examined), **_judged(answers)}
    facts["without a tier"] = {
        name: summary(_right(_again(project, corpus, examined, name, until), equals))
        for name in WITHOUT
    }
    facts["recall at 5"] = recall_at_5(
        project, [v for v in corpus.views if held_out(v.cases[0].family)], equals
    )
    facts["baselines, held out"] = _baselines(project, corpus)
    public = public_folder()
    if public is not None:
        shutil.rmtree(folder / "public", ignore_errors=True)
        facts["public"] = examine_public(public, folder / "public")
    OUT.mkdir(exist_ok=True)
    (OUT / "duplicates.svg").write_text(reliability_svg(facts["calibration"]))
    return facts


def open_project(folder: Path) -> Project:
    """The project in this folder, made when it is not there: the flights must have been built."""
    if (folder / "fieldhouse.toml").exists():
        return Project(folder)
    from fieldhouse.demo.flights import build_warehouse

    flights = ROOT / ".fieldhouse" / "warehouse"
    build_warehouse(flights)
    return make_project(folder, flights)


def make_corpus(project: Project, share: float = 1.0) -> Corpus:
    """The corpus with only the labels that hold; they are verified once for a text of it.

    `share` keeps the first so many of each family.
    """
    known = known_views()
    views = case_views(known)
    kept = project.folder / f"labels_{_digest(known, views)}.json"
    if not kept.exists():
        verdicts = truth.verified(_connection(project), known, views)
        kept.write_text(json.dumps(verdicts.dropped))
    dropped: dict[str, list[str]] = json.loads(kept.read_text())
    return Corpus(known, _shared(_without(views, dropped), share), dropped)


def _digest(known: Sequence[Known], views: Sequence[CaseView]) -> str:
    texts = [k.sql for k in known] + [f"{v.name} {v.sql} {v.cases}" for v in views]
    rules = Path(truth.__file__).read_text()
    return sha256("\n".join([rules, *texts]).encode()).hexdigest()[:16]


def _without(views: Sequence[CaseView], dropped: Mapping[str, Sequence[str]]) -> list[CaseView]:
    names = {entry.split(": ")[0] for entries in dropped.values() for entry in entries}
    left = [
        replace(v, cases=tuple(c for c in v.cases if f"{v.name}:{c.name}" not in names))
        for v in views
    ]
    return [view for view in left if view.cases]


def _shared(views: Sequence[CaseView], share: float) -> list[CaseView]:
    """The first of each kind: of copies by family, of honest views by place."""
    kinds: dict[str, list[CaseView]] = {}
    for view in views:
        kind = view.cases[0].family if view.copies else "honest"
        kinds.setdefault(kind, []).append(view)
    step = max(1, round(1 / share))
    return [view for kind in kinds.values() for view in kind[::step]]


def _connection(project: Project) -> Any:
    return connect(project.folder / "warehouse")


def _equals(groups: Mapping[str, set[str]]) -> Callable[[str], set[str]]:
    return lambda ref: groups.get(ref, {ref})


def _again(
    project: Project, corpus: Corpus, examined: Examined, tier: str, until: float
) -> Examined:
    """The same cases without a tier; as many batches as there are answers to compare with."""
    again = examine(project, corpus.views, f"without_{tier}", WITHOUT[tier], until)
    asked = {answer.case for answer in examined.answers}
    return replace(again, answers=tuple(a for a in again.answers if a.case in asked))


def _right(examined: Examined, equals: Callable[[str], set[str]]) -> list[Answer]:
    """The answers; to name a feature that equals the copied one is right too."""
    return [
        replace(a, named=a.of) if a.of and a.named in equals(a.of) else a for a in examined.answers
    ]


def _described(corpus: Corpus, examined: Examined) -> dict[str, Any]:
    labels = Counter(answer.label for answer in examined.answers)
    return {
        "batches": [examined.batches, examined.asked],
        "commits": examined.commits,
        "registered": sum(len(k.view.items) for k in corpus.known),
        "cases": dict(sorted(labels.items())),
        "labels that did not hold": {f: len(found) for f, found in sorted(corpus.dropped.items())},
    }


def _judged(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of the held-out families, which count, and of the others; by family; the score's meaning."""
    splits = {s: [a for a in answers if a.split == s] for s in (HELD_OUT, DEVELOPMENT)}
    facts: dict[str, Any] = {s: summary(found) for s, found in splits.items()}
    asked = splits[HELD_OUT]
    facts[HELD_OUT]["pr_auc"] = precision_recall(
        [score(a) if a.found or not a.of else 0.0 for a in asked], [bool(a.of) for a in asked]
    )["pr_auc"]
    facts["by family"] = by_family(answers)
    facts["calibration"] = calibration(answers)
    wrong = [a for a in answers if (a.said != "pass") != bool(a.of) or (a.of and not a.right)]
    facts["wrong"] = [a.facts() for a in wrong]
    return facts


def _baselines(project: Project, corpus: Corpus) -> dict[str, Any]:
    connection = _connection(project)
    values: dict[str, np.ndarray] = {}
    for gallery in truth.known_galleries(connection, corpus.known).values():
        values.update(zip(gallery.names, gallery.rows, strict=True))
    for view in corpus.views:
        found = truth.case_values(connection, view)
        values.update({case_key(case): found[case.name] for case in view.cases})
    return compare_baselines(pairing(corpus.known, corpus.views), values)
