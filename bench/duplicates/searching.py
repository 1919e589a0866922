"""Whether `fieldhouse search` finds what a copy copies, among the first five answers.

The real command, in this process: one question a case, by its description or by its query.
"""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.duplicates.corpus import Case, CaseView
from bench.duplicates.metrics import Rate
from bench.duplicates.project import KNOWN, Project

Found = Callable[[str], set[str]]


def recall_at_5(project: Project, views: Sequence[CaseView], equals: Found) -> dict[str, Any]:
    """By words: of all copies. By SQL: of those that are one query. `equals` gives the registered
    features that count as the copied one."""
    copies = [(view, case) for view in views for case in view.cases if case.of]
    with _inside(project.folder):
        words = [_finds(case, equals, case.description) for _, case in copies]
        queries = [
            _finds(case, equals, "--sql", view.sql) for view, case in copies if not view.extra
        ]
    return {
        "by words": Rate(sum(words), len(words)).facts(),
        "by SQL": Rate(sum(queries), len(queries)).facts(),
    }


def _finds(case: Case, equals: Found, *question: str) -> bool:
    from fieldhouse.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        code = main(["search", *question, "--limit", "5", "--json"])
    if code:
        return False
    refs = {
        found["ref"].split("@")[0].removeprefix(f"{KNOWN}/")
        for found in json.loads(said.getvalue())
    }
    return bool(refs & equals(case.of))


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
