"""The program that reads values for a pull request: `python -m warehouse.preview_program`.

Started by `warehouse.value_preview` with a limit to its time. It runs queries of definitions that
nobody has reviewed, which read the warehouse's tables alone, and no Python of theirs.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from registry.core.published import PublishedView
from registry.core.value_diff import ChangedComputed, ChangedView, ComputedSample, ValueDiff
from registry.kernel.errors import FieldhouseError
from registry.kernel.settings import Settings
from registry.ports import SampleChecker
from registry.settings import clock_of
from warehouse.bootstrap import open_engine, open_expectations
from warehouse.computed_samples import ComputedSamples
from warehouse.limited_program import asked_of, give
from warehouse.sampled_values import SampledValues


@dataclass(frozen=True, slots=True)
class Asked:
    """Settings, as they are read, and what to look at: in this order, one answer each."""

    root: str
    table: Mapping[str, Any]
    environ: Mapping[str, str]
    changed: tuple[ChangedView, ...] = ()
    expected: tuple[PublishedView, ...] = ()
    computed: tuple[ChangedComputed, ...] = ()

    @property
    def settings(self) -> Settings:
        return Settings(Path(self.root), None, self.table, self.environ)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of one of them; `failed` says why nothing was."""

    diffs: tuple[ValueDiff, ...] = ()
    broken: tuple[str, ...] = ()
    sample: ComputedSample | None = None
    failed: str = ""


def main(asked_file: str, given_file: str) -> None:
    asked = asked_of(asked_file, Asked)
    for look in _looks(asked):
        try:
            answer = look()
        except FieldhouseError as error:
            answer = Answer(failed=error.asked)
        give(given_file, answer)


def _looks(asked: Asked) -> Iterator[Callable[[], Answer]]:
    settings = asked.settings
    engine, clock = open_engine(settings), clock_of(settings)
    compare, sample = SampledValues(engine, clock), ComputedSamples(engine, clock)
    yield from (partial(_compared, compare, changed) for changed in asked.changed)
    yield from (partial(_sampled, sample, computed) for computed in asked.computed)
    if asked.expected:
        test = open_expectations(settings)
        yield from (partial(_tried, test, view) for view in asked.expected)


def _compared(compare: SampledValues, changed: ChangedView) -> Answer:
    return Answer(diffs=tuple(compare(changed.old, changed.new, changed.features)))


def _sampled(sample: ComputedSamples, changed: ChangedComputed) -> Answer:
    return Answer(sample=sample(changed))


def _tried(test: SampleChecker, view: PublishedView) -> Answer:
    return Answer(broken=tuple(f"{view.name}: {sentence}" for sentence in test(view)))


if __name__ == "__main__":
    main(*sys.argv[1:])
