"""Rules about on-demand views: what their functions may use, and what they may read."""

from collections.abc import Iterable

from registry.core.borrowing import foreign
from registry.core.on_demand import allowed_modules
from registry.core.rules.base import Evidence, Hit, rule
from registry.core.rules.python_io import forbidden_uses
from registry.kernel.errors import nearest_names
from registry.kernel.refs import parse_ref


@rule(
    "transformation-io",
    "serving",
    "error",
    "A transformation that reads or writes the world is slow, and differs offline and online.",
)
def transformation_io(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.on_demand.values():
        uses = forbidden_uses(view.code, allowed_modules(view.mode))
        if uses:
            yield Hit(
                view.name,
                f"the function of {view.name} uses {', '.join(uses)}",
                "compute from the inputs alone; bring what it reads as a feature or request field",
                view.location,
            )


@rule(
    "input-unknown",
    "serving",
    "error",
    "A function can only be given what this repository defines.",
)
def input_unknown(evidence: Evidence) -> Iterable[Hit]:
    known = evidence.compiled.features
    for view in evidence.compiled.on_demand.values():
        for text in view.inputs:
            ref = parse_ref(text)
            abroad = foreign(ref, evidence.compiled.namespace)
            if not abroad and f"{ref.view}:{ref.feature}" in known:
                continue
            near = ", ".join(nearest_names(f"{ref.view}:{ref.feature}", known))
            what = f"of namespace {ref.namespace}" if abroad else "which nothing here defines"
            hint = (
                "a feature service reads other namespaces' features, a view does not: compute it "
                "there and borrow the result, or take the value as a request field"
                if abroad
                else f"nearest: {near}"
                if near
                else "define it, or take the value as a request field"
            )
            yield Hit(view.name, f"{view.name} reads {text}, {what}", hint, view.location)
