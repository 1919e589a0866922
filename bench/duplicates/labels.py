"""The corpus with only the labels that hold, and what equals what: found out once for a text of it.

What was found out is kept in the project's folder, under a digest of the corpus and of the rules.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from bench.duplicates import truth
from bench.duplicates.corpus import CaseView, Known, case_views, known_views
from bench.duplicates.project import Project, connect


@dataclass(frozen=True, slots=True)
class Corpus:
    """Registered views, verified cases, what was dropped (by family), and the registered features
    that coincide with others. `folder` keeps what is found out, `digest` names it."""

    known: Sequence[Known]
    views: Sequence[CaseView]
    dropped: Mapping[str, Sequence[str]]
    groups: Mapping[str, set[str]]
    folder: Path
    digest: str

    def equals(self, ref: str) -> set[str]:
        """The registered features that may be named for one, itself among them."""
        return self.groups.get(ref, {ref})


def make_corpus(project: Project, share: float = 1.0) -> Corpus:
    """`share` keeps the first so many of each family."""
    known = known_views()
    views = case_views(known)
    digest = _digest(known, views)
    kept = project.folder / f"labels_{digest}.json"
    if not kept.exists():
        connection = _connection(project)
        verdicts = truth.verified(connection, known, views)
        groups = truth.equals_of_known(connection, known)
        said = {"dropped": verdicts.dropped, "equals": {k: sorted(v) for k, v in groups.items()}}
        kept.write_text(json.dumps(said))
    found = json.loads(kept.read_text())
    groups = {ref: set(others) for ref, others in found["equals"].items()}
    left = _shared(_without(views, found["dropped"]), share)
    return Corpus(known, left, found["dropped"], groups, project.folder, digest)


def corpus_values(project: Project, corpus: Corpus) -> Mapping[str, np.ndarray]:
    """Values at the points of their entity, of registered features by `view:feature` and of
    proposed ones by `CaseView.key`: float64 of shape (POINTS,), NaN for null."""
    kept = corpus.folder / f"values_{corpus.digest}_{len(corpus.views)}.npz"
    if not kept.exists():
        np.savez(kept, **_values(project, corpus))
    with np.load(kept) as found:
        return {name: found[name] for name in found.files}


def _values(project: Project, corpus: Corpus) -> dict[str, Any]:
    connection = _connection(project)
    values: dict[str, Any] = {}
    for gallery in truth.known_galleries(connection, corpus.known).values():
        values.update(zip(gallery.names, gallery.rows, strict=True))
    for view in corpus.views:
        found = truth.case_values(connection, view)
        values.update({view.key(case): found[case.name] for case in view.cases})
    return values


def _digest(known: Sequence[Known], views: Sequence[CaseView]) -> str:
    texts = [k.sql for k in known] + [f"{v.name} {v.sql} {v.cases}" for v in views]
    rules = Path(truth.__file__).read_text()
    return sha256("\n".join([rules, *texts]).encode()).hexdigest()[:16]


def _without(views: Sequence[CaseView], dropped: Mapping[str, Sequence[str]]) -> list[CaseView]:
    names = {entry.split(": ")[0] for entries in dropped.values() for entry in entries}
    left = [replace(v, cases=tuple(c for c in v.cases if v.key(c) not in names)) for v in views]
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
