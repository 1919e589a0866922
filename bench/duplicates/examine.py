"""Proposes the corpus through `fieldhouse check`, batch by batch, and reads what it says of each.

A batch is one folder of definitions with up to `A_BATCH` views, checked in the namespace of another
team, so all its features are new. No two copies of one registered feature share a batch. One check
loads a folder once and answers for all its features.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.duplicates.corpus import Case, CaseView
from bench.duplicates.families import SPLITS
from bench.duplicates.project import KNOWN, ROOT, Project
from bench.duplicates.repository import case_repository, on_demand_name

A_BATCH: Final = 60
BLOCKS: Final = frozenset({"duplicate-definition", "duplicate-values"})
ASKS: Final = frozenset({"near-duplicate"})
_REF = re.compile(r"\b([A-Za-z0-9_-]+)/([A-Za-z0-9_]+:[A-Za-z0-9_]+)@\d+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the check said of one case ("block", "ask", "pass"), by which rule, naming what.

    `right` says whether a registered feature that the case copies is the one named.
    """

    case: str
    label: str
    family: str
    split: str
    of: str
    said: str
    rule: str
    named: str
    message: str

    @property
    def found(self) -> bool:
        """Blocked or asked, about the feature that it copies."""
        return self.said != "pass" and self.right

    @property
    def right(self) -> bool:
        return bool(self.of) and self.named == self.of

    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "right": self.right}


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
    """The answers of the batches that were checked in time, and by which code each was."""

    answers: tuple[Answer, ...]
    batches: int
    asked: int
    commits: tuple[str, ...]


def examine(
    project: Project, views: Sequence[CaseView], name: str = "all",
    settings: Mapping[str, str] | None = None, until: float = float("inf"),
) -> Examined:  # fmt: skip
    """The answer to every case, batch by batch. What a check found is kept under `name`, and not
    asked again; after the instant `until` (of `time.time`) no further batch is begun."""
    answers: list[Answer] = []
    commits: list[str] = []
    made = batches(views)
    for number, batch in enumerate(made):
        kept = project.folder / "findings" / name / f"batch_{number:03d}.json"
        if not kept.exists() and time.time() > until:
            break
        record = json.loads(kept.read_text()) if kept.exists() else _ask(project, batch, settings)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(record))
        answers += read_answers(batch, record["findings"])
        commits.append(record["commit"])
    return Examined(tuple(answers), len(commits), len(made), tuple(dict.fromkeys(commits)))


def _ask(
    project: Project, batch: Sequence[CaseView], settings: Mapping[str, str] | None
) -> dict[str, Any]:
    folder = project.folder / "batch"
    shutil.rmtree(folder, ignore_errors=True)
    case_repository(folder, batch)
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    findings = [f for f in project.check(folder, settings) if f["rule"] in BLOCKS | ASKS]
    return {"commit": commit, "findings": findings}


def forget(project: Project) -> None:
    """Remove what earlier examinations were told."""
    shutil.rmtree(project.folder / "findings", ignore_errors=True)


def read_answers(
    batch: Sequence[CaseView], findings: Sequence[Mapping[str, Any]]
) -> Iterator[Answer]:
    """One answer a case; the strongest finding counts."""
    by_subject: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        if finding["rule"] in BLOCKS | ASKS:
            by_subject.setdefault(finding["subject"], []).append(finding)
    for view in batch:
        for case in view.cases:
            yield _answer(view, case, by_subject.get(subject(view, case), []))


def subject(view: CaseView, case: Case) -> str:
    """The feature's name in findings."""
    return f"{on_demand_name(view.name) if view.extra else view.name}:{case.name}"


def _answer(view: CaseView, case: Case, findings: Sequence[Mapping[str, Any]]) -> Answer:
    ranked = sorted(findings, key=lambda f: f["rule"] not in BLOCKS)
    named = [ref for f in ranked for ns, ref in _REF.findall(f["message"]) if ns == KNOWN]
    said, rule, message = "pass", "", ""
    if ranked:
        rule, message = ranked[0]["rule"], ranked[0]["message"]
        said = "block" if rule in BLOCKS else "ask"
    return Answer(
        case=subject(view, case), label=case.label, family=case.family, split=SPLITS[case.family],
        of=case.of, said=said, rule=rule,
        named=case.of if case.of in named else (named[0] if named else ""), message=message,
    )  # fmt: skip
