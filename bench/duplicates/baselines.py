"""What simple means make of the same cases: equal or like names, like value sets, like words.

Each gives a case the score of the registered feature of its entity that it likes best. A copy
counts as found where that is the one it copies. Thresholds are chosen on the development families.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from bench.duplicates.corpus import Case, CaseView, Known
from bench.duplicates.families import held_out
from bench.duplicates.metrics import at_threshold, precision_recall
from bench.duplicates.shapes import described

Values = Mapping[str, np.ndarray]
# Of a case, by its key, and a registered feature with its description.
Liking = Callable[[Case, str, str, str], float]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Every case with the registered features of its entity, described in words."""

    cases: Sequence[tuple[CaseView, Case]]
    known: Mapping[tuple[str, ...], Mapping[str, str]]


def pairing(known: Sequence[Known], views: Sequence[CaseView]) -> Pairing:
    """The cases and, by entity, `view:feature` with its description."""
    by_entity: dict[tuple[str, ...], dict[str, str]] = {}
    for k in known:
        for name, item in k.features():
            by_entity.setdefault(k.view.entity, {})[f"{k.name}:{name}"] = described(k.view, item)
    return Pairing([(view, case) for view in views for case in view.cases], by_entity)


def compare_baselines(made: Pairing, values: Values) -> dict[str, Any]:
    """PR-AUC on the held-out cases; precision, recall, F1 there at the development threshold."""
    likings: dict[str, Liking] = {
        "name equality": lambda case, _key, ref, _said: float(ref.split(":")[1] == case.name),
        "name similarity": _names_alike,
        "value Jaccard": lambda _case, key, ref, _said: _jaccard(values, key, ref),
        "TF-IDF of descriptions": _words_alike(made),
    }
    return {name: _judged(made, liking) for name, liking in likings.items()}


def _judged(made: Pairing, liking: Liking) -> dict[str, Any]:
    tuned: tuple[list[float], list[bool]] = ([], [])
    asked: tuple[list[float], list[bool]] = ([], [])
    for view, case in made.cases:
        score, ref = _best(made.known[view.view.entity], case, view.key(case), liking)
        # A copy that is taken for another feature was not found.
        if case.of and ref != case.of:
            score = 0.0
        scores, truths = asked if held_out(case.family) else tuned
        scores.append(score)
        truths.append(bool(case.of))
    threshold = precision_recall(*tuned)["threshold"]
    area = precision_recall(*asked)["pr_auc"]
    return {"pr_auc": area, "threshold": threshold, **at_threshold(*asked, max(threshold, 1e-9))}


def _best(known: Mapping[str, str], case: Case, key: str, liking: Liking) -> tuple[float, str]:
    likes = {ref: liking(case, key, ref, said) for ref, said in known.items()}
    # Of equally liked ones the copied one: the baseline gets the benefit of the doubt.
    return max((score, ref == case.of, ref) for ref, score in likes.items())[::2]


def _names_alike(case: Case, _key: str, ref: str, _said: str) -> float:
    return SequenceMatcher(None, case.name, ref.split(":")[1]).ratio()


def _jaccard(values: Values, key: str, ref: str) -> float:
    mine, theirs = values.get(key), values.get(ref)
    if mine is None or theirs is None:
        return 0.0
    one, other = (set(np.round(v[~np.isnan(v)], 6)) for v in (mine, theirs))
    return len(one & other) / len(one | other) if one | other else 0.0


def _words_alike(made: Pairing) -> Liking:
    from sklearn.feature_extraction.text import TfidfVectorizer

    said = {d for known in made.known.values() for d in known.values()}
    texts = sorted(said | {case.description for _, case in made.cases})
    rows = TfidfVectorizer().fit_transform(texts)
    places = {text: place for place, text in enumerate(texts)}
    likeness = np.asarray((rows @ rows.T).todense())

    def liking(case: Case, _key: str, _ref: str, said: str) -> float:
        return float(likeness[places[case.description], places[said]])

    return liking
