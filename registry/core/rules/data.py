"""Rules about data: do the values that a definition gives hold what it promises."""

from collections.abc import Iterable

from registry.core.definitions import NOWHERE
from registry.core.rules.base import Evidence, Hit, rule


@rule(
    "expectation-failed",
    "training",
    "warning",
    "A view whose newest rows break its own promises trains and serves on data that nobody wants.",
)
def expectation_failed(evidence: Evidence) -> Iterable[Hit]:
    for name, sentence in evidence.unmet:
        view = evidence.compiled.views.get(name)
        yield Hit(
            name,
            f"on a sample of {name}: {sentence}",
            "mend the source, or say what the data really hold",
            view.location if view is not None else NOWHERE,
        )
