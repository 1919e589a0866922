"""Values that a plan changes, read and run by programs that are stopped when they take too long."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from registry.core.published import PublishedFeature, PublishedOnDemand, PublishedView
from registry.core.value_diff import (
    OPEN,
    ChangedComputed,
    ChangedView,
    ComputedSample,
    ComputedValues,
    SampledColumn,
    ValueDiff,
    ValuesSeen,
)
from registry.kernel.settings import Settings
from registry.kernel.types import arrow_type
from warehouse.computing import Job, Limits, compute_apart
from warehouse.limited_program import answers_of
from warehouse.plain_values import measured, plain, unplain
from warehouse.preview_program import Answer, Asked
from warehouse.sampled_values import concealed
from warehouse.value_diffs import diff_values

READER = "warehouse.preview_program"
_PASSED_ON = ("FIELDHOUSE_WAREHOUSE_", "FIELDHOUSE_PROJECT_", "FIELDHOUSE_CLOCK_")


@dataclass(frozen=True, slots=True)
class LimitedPreview:
    """A `registry.ports.ValuePreview` over the warehouse of these settings."""

    settings: Settings

    def look(
        self, changed: Sequence[ChangedView], expected: Sequence[PublishedView], seconds: float
    ) -> ValuesSeen:
        asked = [f"values of {view.new.name} are not compared" for view in changed]
        asked += [f"expectations of {view.name} are not tried" for view in expected]
        answers = self._read(
            self._asked(changed=tuple(changed), expected=tuple(expected)), asked, seconds
        )
        return ValuesSeen(
            tuple(diff for answer in answers for diff in answer.diffs),
            tuple(said for answer in answers for said in answer.broken),
            tuple(_notes(asked, answers)),
        )

    def sample(
        self, changed: Sequence[ChangedComputed], seconds: float
    ) -> tuple[Sequence[ComputedSample], Mapping[str, str]]:
        asked = [computed.new.name for computed in changed]
        answers = self._read(self._asked(computed=tuple(changed)), asked, seconds)
        samples = [answer.sample for answer in answers if answer.sample is not None]
        failed = {name: a.failed for name, a in zip(asked, answers, strict=True) if a.failed}
        return samples, failed

    def run(self, samples: Sequence[ComputedSample], seconds: float) -> Sequence[ComputedValues]:
        jobs = [
            Job((view,), _table(columns))
            for s in samples
            for view, columns in ((s.old, s.before), (s.new, s.after))
        ]
        answers = compute_apart(jobs, Limits(seconds)) if jobs else []
        return list(map(_computed, samples, answers[::2], answers[1::2]))

    def differences(
        self, samples: Sequence[ComputedSample], values: Sequence[ComputedValues]
    ) -> ValuesSeen:
        held = {computed.view: computed for computed in values}
        diffs: list[ValueDiff] = []
        notes: list[str] = []
        for sample in samples:
            found = held.get(sample.new.name)
            why = _unfit(sample, found)
            if found is None or why:
                notes.append(f"values of {sample.new.name} are not compared: {why}")
                continue
            diffs += _diffs(sample, found)
            if sample.made_up:
                fields = ", ".join(sample.made_up)
                notes.append(f"{fields}, which {sample.new.name} takes of each request, is made up")
        return ValuesSeen(tuple(diffs), (), tuple(notes))

    def _asked(
        self,
        changed: tuple[ChangedView, ...] = (),
        expected: tuple[PublishedView, ...] = (),
        computed: tuple[ChangedComputed, ...] = (),
    ) -> Asked:
        environ = {
            name: value
            for name, value in self.settings.environ.items()
            if name.startswith(_PASSED_ON)
        }
        root = str(self.settings.root)
        return Asked(root, self.settings.table, environ, changed, expected, computed)

    def _read(self, request: Asked, asked: Sequence[str], seconds: float) -> Sequence[Answer]:
        """An answer to each thing asked, in order."""
        if not asked:
            return []
        given = answers_of(READER, request, Answer, seconds)[: len(asked)]
        late = Answer(failed=f"it took longer than {seconds:g} s, and was stopped")
        return [*given, *[late] * (len(asked) - len(given))]


def _table(columns: Sequence[SampledColumn]) -> pa.Table:
    return pa.table({c.name: pa.array(unplain(c), arrow_type(c.dtype)) for c in columns})


def _computed(
    sample: ComputedSample, before: pa.Table | str, after: pa.Table | str
) -> ComputedValues:
    if isinstance(before, str):
        return ComputedValues(sample.new.name, {}, {}, f"old code: {' '.join(before.split())}")
    if isinstance(after, str):
        return ComputedValues(sample.new.name, {}, {}, f"new code: {' '.join(after.split())}")
    old, new = ({n: plain(t[n].to_pylist()) for n in sample.features} for t in (before, after))
    return ComputedValues(sample.new.name, old, new)


def _notes(asked: Sequence[str], answers: Sequence[Answer]) -> Iterator[str]:
    for what, answer in zip(asked, answers, strict=True):
        if answer.failed:
            yield f"{what}: {answer.failed}"


def _unfit(sample: ComputedSample, found: ComputedValues | None) -> str:
    """Why values cannot be those of the sample: they come from where nothing can be trusted."""
    if found is None:
        return "nobody computed them"
    if found.failed:
        return found.failed
    rows = len(sample.keys)
    for side in (found.before, found.after):
        if any(len(side.get(name, ())) != rows for name in sample.features):
            return "what was computed does not fit the sample"
    return ""


def _diffs(sample: ComputedSample, found: ComputedValues) -> Iterator[ValueDiff]:
    for name in sample.features:
        old, new = _feature(sample.old, name), _feature(sample.new, name)
        diff = diff_values(
            f"{sample.new.name}:{name}",
            sample.keys,
            sample.at,
            measured(found.before[name], old.dtype),
            measured(found.after[name], new.dtype),
        )
        yield concealed(diff, old.sensitivity in OPEN and new.sensitivity in OPEN)


def _feature(view: PublishedOnDemand, name: str) -> PublishedFeature:
    return next(feature for feature in view.features if feature.name == name)
