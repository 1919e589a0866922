"""Whether `fieldhouse search` finds what a copy copies, among the first five answers.

The real command, in processes of ours: one question a case, by its description or by its query.
"""

import contextlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from bench.duplicates.answers import Equals
from bench.duplicates.corpus import Case, CaseView
from bench.duplicates.metrics import Rate
from bench.duplicates.project import KNOWN, Project

OF_EACH_FAMILY: Final = 6
Question = tuple[str, ...]


def recall_at_5(
    project: Project, views: Sequence[CaseView], equals: Equals, processes: int
) -> dict[str, Any]:
    """Of the first copies of each family; by SQL of those that are one query. `equals` gives the
    registered features that count as the copied one."""
    copies = list(_first(views))
    words = [(case.description,) for _, case in copies]
    queries = [("--sql", view.sql) for view, _ in copies if not view.extra]
    wanted = [case.of for _, case in copies]
    wanted_of_queries = [case.of for view, case in copies if not view.extra]
    with ProcessPoolExecutor(processes, get_context("fork")) as pool:
        found = list(pool.map(partial(_found, project.folder), [*words, *queries]))
    return {
        "by words": _rate(found[: len(words)], wanted, equals),
        "by SQL": _rate(found[len(words) :], wanted_of_queries, equals),
    }


def _first(views: Sequence[CaseView]) -> Iterator[tuple[CaseView, Case]]:
    seen: Counter[str] = Counter()
    for view in views:
        for case in view.cases:
            seen[case.family] += 1
            if case.of and seen[case.family] <= OF_EACH_FAMILY:
                yield view, case


def _rate(found: Sequence[set[str]], wanted: Sequence[str], equals: Equals) -> dict[str, Any]:
    hits = [bool(refs & equals(of)) for refs, of in zip(found, wanted, strict=True)]
    return Rate(sum(hits), len(hits)).facts()


def _found(folder: Path, question: Question) -> set[str]:
    """The registered `view:feature` among the first five answers; none where it was refused."""
    from fieldhouse.cli import main

    said = io.StringIO()
    with (
        _inside(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        code = main(["search", *question, "--limit", "5", "--json"])
    if code:
        return set()
    found = json.loads(said.getvalue())
    return {one["ref"].split("@")[0].removeprefix(f"{KNOWN}/") for one in found}


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """In the project's folder, with nothing of ours in the environment."""
    before = Path.cwd()
    ours = {k: os.environ.pop(k) for k in list(os.environ) if k.startswith("FIELDHOUSE_")}
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.update(ours)
