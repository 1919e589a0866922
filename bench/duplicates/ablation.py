"""What each tier adds: the same cases again as if it were not there.

Values and advice are taken out of the findings, which say what found what. Definitions are turned
off by their rule, as a project would, and the features that they answered for are checked again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from bench.duplicates.answers import DEFINITION, Answer, subject
from bench.duplicates.corpus import CaseView
from bench.duplicates.examine import Examiner
from bench.duplicates.labels import Corpus
from bench.duplicates.metrics import summary
from bench.duplicates.project import variant_project

STRUCTURE: Final = "definition-close"
Answers = Sequence[Answer]


def without_each_tier(examiner: Examiner, corpus: Corpus, answers: Answers) -> dict[str, Any]:
    """The summary of the answers without definitions, values, structure and words."""
    left: Mapping[str, Callable[[], Answers]] = {
        "definition": lambda: _without_definitions(examiner, corpus, answers),
        "values": lambda: [_by_definition(a) for a in answers],
        "structure": lambda: [_advised(a, lambda rule: rule != STRUCTURE) for a in answers],
        "words": lambda: [_advised(a, lambda rule: rule == STRUCTURE) for a in answers],
    }
    return {tier: summary(again()) for tier, again in left.items()}


def _by_definition(answer: Answer) -> Answer:
    if answer.rule == DEFINITION:
        return answer
    return replace(answer, said="pass", rule="", named="", message="")


def _advised(answer: Answer, keep: Callable[[str], bool]) -> Answer:
    return replace(answer, advice=tuple(filter(keep, answer.advice)))


def _without_definitions(examiner: Examiner, corpus: Corpus, answers: Answers) -> Answers:
    """Those that a definition answered for, asked again with that rule off."""
    project = variant_project(examiner.project, "without_definition", {DEFINITION: "off"})
    told = {answer.case for answer in answers if answer.rule == DEFINITION}
    again = replace(examiner, project=project, name="without_definition")
    found = again.examine(_views_of(corpus, told), corpus.equals)
    by_case = {answer.case: answer for answer in found.answers}
    return [by_case.get(answer.case, answer) for answer in answers]


def _views_of(corpus: Corpus, subjects: set[str]) -> list[CaseView]:
    views = [
        replace(v, cases=tuple(c for c in v.cases if subject(v, c) in subjects))
        for v in corpus.views
    ]
    return [view for view in views if view.cases]
