"""Whether a view's source is fit to go online: its expectations, held before anything is written.

Decides nothing about features: the materializer does, by its policy.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from featureserver.source_copies import SourceCopies
from registry.core.published import PublishedView
from registry.kernel.canonical import digest, short
from warehouse.history import history_of


def failures(
    copies: SourceCopies, view: PublishedView, kept: Path | None = None
) -> tuple[str, ...]:
    """A sentence for each expectation of the view that fails; empty when all hold.

    `kept` is a folder of earlier findings: what has been found of these expectations on the very
    same content is not looked for again.
    """
    if not view.expectations:
        return ()
    mark = copies.mark_of(view.source.history)
    if kept is None or mark is None:
        return _found(copies, view)
    asked = [[e.kind, e.arguments] for e in view.expectations]
    asked += [list(pair) for pair in view.source.history.field_mapping]
    file = kept / f"{short(digest([mark, view.key, asked]), 40)}.json"
    if file.is_file():
        return tuple(json.loads(file.read_text()))
    found = _found(copies, view)
    kept.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(found))
    part.replace(file)
    return found


def _found(copies: SourceCopies, view: PublishedView) -> tuple[str, ...]:
    from warehouse.quality import check_file

    history = history_of(view)
    names = {c.source_column: c.name for c in (*history.keys, *history.features)}
    report = check_file(copies.file_of(view.source.history), view.expectations, names)
    return tuple(result.sentence for result in report.failures)


def named_in(sentences: Sequence[str], view: PublishedView) -> list[str]:
    """The view's features that the failed expectations name; all of them when none is named."""
    named = [f.name for f in view.features if any(f"{f.name!r}" in text for text in sentences)]
    return named or [feature.name for feature in view.features]
