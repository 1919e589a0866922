"""Counts, rates with Clopper-Pearson intervals, and curves. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from bench.duplicates.answers import Answer

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `total`, with the exact interval of 95 percent (Clopper and Pearson 1934)."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        k, n, tail = self.hits, self.total, (1 - CONFIDENCE) / 2
        low = 0.0 if k == 0 else float(beta.ppf(tail, k, n - k + 1))
        high = 1.0 if k == n else float(beta.ppf(1 - tail, k + 1, n - k))
        return low, high

    def facts(self, scale: float = 1.0) -> dict[str, Any]:
        """As JSON; rates a thousand with `scale` 1000."""
        if not self.total:
            return {"hits": 0, "of": 0}
        digits = 2 if scale > 1 else 4
        low, high = self.interval
        return {
            "hits": self.hits, "of": self.total, "value": round(scale * self.value, digits),
            "interval": [round(scale * low, digits), round(scale * high, digits)],
        }  # fmt: skip


def rate(
    answers: Iterable[Answer], of: Callable[[Answer], bool], hit: Callable[[Answer], bool]
) -> Rate:
    """How many of the answers `of` are a `hit`."""
    chosen = [a for a in answers if of(a)]
    return Rate(sum(map(hit, chosen)), len(chosen))


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """What the issue asks of a set of answers, at the shipped thresholds."""
    found = rate(answers, _copy, lambda a: a.found)
    said = rate(answers, lambda a: a.said != "pass", lambda a: a.found)
    recall, precision = found.value, said.value
    f1 = 2 * recall * precision / (recall + precision) if found.hits else 0.0
    return {
        "cases": dict(sorted(Counter(a.label for a in answers).items())),
        "blocking precision": rate(answers, _blocked, lambda a: a.found).facts(),
        "blocks of a duplicate, near copies not counted": rate(
            answers, _blocked, lambda a: a.found and a.label == "duplicate"
        ).facts(),
        "precision": said.facts(),
        "found": found.facts(),
        "duplicates found": rate(answers, lambda a: a.label == "duplicate", _found).facts(),
        "duplicates blocked": rate(
            answers, lambda a: a.label == "duplicate", lambda a: a.found and a.said == "block"
        ).facts(),
        "near copies found": rate(answers, lambda a: a.label == "near", _found).facts(),
        "not found, but named in advice": rate(
            answers, lambda a: _copy(a) and not a.found, lambda a: bool(a.advice)
        ).facts(),
        "f1": round(f1, 4),
        "false blocks per 1000": rate(answers, _honest, _blocked).facts(1000),
        "false questions per 1000": rate(answers, _honest, lambda a: a.said == "ask").facts(1000),
        "honest ones with advice": rate(answers, _honest, lambda a: bool(a.advice)).facts(),
    }


def by_family(answers: Sequence[Answer]) -> dict[str, dict[str, int]]:
    """Of each family: cases, blocked, asked, passed, and right ones."""
    tables: dict[str, Counter[str]] = {}
    for answer in answers:
        counts = tables.setdefault(answer.family, Counter())
        counts.update(["cases", answer.said])
        counts.update(["right"] if answer.found else [])
    order = ("cases", "block", "ask", "pass", "right")
    return {
        family: {name: counts[name] for name in order if name != "right" or not _is_honest(family)}
        for family, counts in sorted(tables.items())
    }


def precision_recall(scores: Sequence[float], truths: Sequence[bool]) -> dict[str, Any]:
    """Average precision (the area under precision over recall); the best F1 and its threshold."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    marks, labels = np.asarray(scores, dtype=float), np.asarray(truths, dtype=bool)
    precision, recall, thresholds = precision_recall_curve(labels, marks)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))[:-1]
    best = int(np.argmax(f1))
    return {
        "pr_auc": round(float(average_precision_score(labels, marks)), 4),
        "best_f1": round(float(f1[best]), 4),
        "threshold": float(thresholds[best]),
    }


def at_threshold(
    scores: Sequence[float], truths: Sequence[bool], threshold: float
) -> Mapping[str, Any]:
    """Precision, recall and F1 of a score at a threshold that was chosen elsewhere."""
    said = [score >= threshold for score in scores]
    hits = sum(s and t for s, t in zip(said, truths, strict=True))
    precision, recall = Rate(hits, sum(said)), Rate(hits, sum(truths))
    both = precision.value + recall.value
    f1 = 2 * precision.value * recall.value / both if hits else 0.0
    return {"precision": precision.facts(), "recall": recall.facts(), "f1": round(f1, 4)}


def _copy(answer: Answer) -> bool:
    return answer.label != "honest"


def _honest(answer: Answer) -> bool:
    return answer.label == "honest"


def _blocked(answer: Answer) -> bool:
    return answer.said == "block"


def _found(answer: Answer) -> bool:
    return answer.found


def _is_honest(family: str) -> bool:
    from bench.duplicates.families import HONEST

    return family in HONEST
