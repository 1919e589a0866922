"""Storing what checks found, and looking up what is stored."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from registry.core.evidence import CheckResult, event_of, results_of
from registry.core.lifecycle import CheckKind
from registry.core.published import Published, PublishedOnDemand, PublishedView
from registry.core.state import FeatureRecord
from registry.ports import CodeChecker, SampleChecker, Transaction
from registry.service.context import Context
from registry.service.outcome import stored_inputs

COMPARED = (
    "production",
    "deprecated",
    "quarantined",
)  # what has rows to compare with the warehouse


def stored_results(
    transaction: Transaction, namespace: str, records: Iterable[FeatureRecord]
) -> dict[str, tuple[CheckResult, ...]]:
    """The newest result of each kind by `view:feature@version`."""
    return {
        record.ref: results_of(
            (chained.event for chained in transaction.events(record.ref)), namespace, record.ref
        )
        for record in records
    }


def store_results(
    context: Context, namespace: str, results: Sequence[CheckResult], actor: str
) -> tuple[CheckResult, ...]:
    """Append what is new: an outcome that differs from the last one stored, or another meaning.

    Gives those that were stored. Results of features that the registry does not have are left out.
    """
    with context.store.write() as transaction:
        features = transaction.state(namespace).features
        known = stored_results(
            transaction,
            namespace,
            {r.ref: features[r.ref] for r in results if r.ref in features}.values(),
        )
        fresh = [
            replace(result, at=context.clock())
            for result in results
            if result.ref in known and not any(map(result.says_the_same, known[result.ref]))
        ]
        transaction.append(event_of(r, namespace, actor, context.clock()) for r in fresh)
    return tuple(fresh)


def results_for_view(
    view: PublishedView | PublishedOnDemand, kind: CheckKind, failures: Sequence[str]
) -> tuple[CheckResult, ...]:
    """One result a feature of the view: failed where a failure names it, or names no feature. What
    is not served is not compared, so parity says nothing of it."""
    named = {f.name for f in view.features if any(f"{f.name!r}" in said for said in failures)}
    return tuple(
        CheckResult(
            kind,
            f"{view.name}:{feature.name}@{feature.version}",
            feature.meaning,
            passed=not failures or (bool(named) and feature.name not in named),
            said="; ".join(failures) if not named or feature.name in named else "",
        )
        for feature in view.features
        if kind != "parity" or feature.state in COMPARED
    )


def prove(
    context: Context, namespace: str, view: PublishedView, check: SampleChecker, actor: str
) -> tuple[CheckResult, ...]:
    """Run a view's expectations on a sample of its newest rows and store what was found. Raises
    what the warehouse does for a source that cannot be read."""
    return _stored(context, namespace, view, check(view), actor)


def prove_code(
    context: Context, published: Published, view: PublishedOnDemand, check: CodeChecker, actor: str
) -> tuple[CheckResult, ...]:
    """The same for an on-demand view, whose code is run on a sample of its inputs. Raises `Refused`
    when those are computed themselves."""
    failures = check(view, stored_inputs(published, view))
    return _stored(context, published.namespace, view, failures, actor)


def _stored(
    context: Context,
    namespace: str,
    view: PublishedView | PublishedOnDemand,
    failures: Sequence[str],
    actor: str,
) -> tuple[CheckResult, ...]:
    results = results_for_view(view, "quality", failures)
    store_results(context, namespace, results, actor)
    return results
