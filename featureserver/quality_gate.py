"""Whether a view's source is fit to go online: its expectations, held before anything is written.

Decides nothing about features: the materializer does, by its policy.
"""

from collections.abc import Sequence

from featureserver.source_copies import SourceCopies
from registry.core.published import PublishedView
from warehouse.history import history_of


def failures(copies: SourceCopies, view: PublishedView) -> tuple[str, ...]:
    """A sentence for each expectation of the view that fails; empty when all hold."""
    if not view.expectations:
        return ()
    from warehouse.quality import check_file

    history = history_of(view)
    names = {c.source_column: c.name for c in (*history.keys, *history.features)}
    report = check_file(copies.file_of(view.source.history), view.expectations, names)
    return tuple(result.sentence for result in report.failures)


def named_in(sentences: Sequence[str], view: PublishedView) -> list[str]:
    """The view's features that the failed expectations name; all of them when none is named."""
    named = [f.name for f in view.features if any(f"{f.name!r}" in text for text in sentences)]
    return named or [feature.name for feature in view.features]
