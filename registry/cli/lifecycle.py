"""`lifecycle`: the moves that happen at run time and never come from code."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.bootstrap import SqlRegistry
    from registry.core.published import Published
    from registry.ports import Principal

Move = Callable[["SqlRegistry", "Principal"], "Published"]


@click.group()
def lifecycle() -> None:
    """Quarantine and release features; retire replaced versions; store evidence for moves."""


@lifecycle.command()
@click.argument("feature", metavar="FEATURE|VIEW")
@click.option("--reason", required=True)
@token_option
@with_output
def quarantine(feature: str, reason: str, token: str | None, out: Output) -> None:
    """Stop trusting a feature, or a whole view; lookups then answer by its staleness policy.

    \b
    Example:
      fieldhouse lifecycle quarantine airport_weather:temp --reason "sensor fault at JFK"
      fieldhouse lifecycle quarantine airport_weather --reason "the station is down"
    """
    from registry.service.runtime import quarantine as move

    _move(lambda r, p: move(r.context, r.namespace, feature, p, reason), token, out)


@lifecycle.command()
@click.argument("feature", metavar="FEATURE|VIEW")
@click.option("--reason", required=True)
@token_option
@with_output
def release(feature: str, reason: str, token: str | None, out: Output) -> None:
    """Trust a quarantined feature, or a whole view, again.

    \b
    Example:
      fieldhouse lifecycle release airport_weather:temp --reason "sensor replaced, backfilled"
    """
    from registry.service.runtime import release as move

    _move(lambda r, p: move(r.context, r.namespace, feature, p, reason), token, out)


@lifecycle.command()
@click.argument("version", metavar="FEATURE@VERSION")
@click.option("--reason", required=True)
@click.option(
    "--approved-by",
    "other",
    metavar="TOKEN",
    help="Another steward's token: retire it though something reads it.",
)
@token_option
@with_output
def retire(version: str, reason: str, other: str | None, token: str | None, out: Output) -> None:
    """Retire an old version that a newer one replaced, once nothing reads it.

    A caller that has not come for 30 days no longer counts.

    \b
    Example:
      fieldhouse lifecycle retire carrier_performance:late_rate_30d@1 --reason "all moved to @2"
    """
    from registry.service.runtime import retire_version

    def move(registry: "SqlRegistry", principal: "Principal") -> "Published":
        approver = registry.authority(other, "steward") if other is not None else None
        return retire_version(
            registry.context, registry.namespace, version, principal, reason, approver
        )

    _move(move, token, out)


@lifecycle.command()
@click.argument("feature", metavar="FEATURE|VIEW")
@token_option
@with_output
def prove(feature: str, token: str | None, out: Output) -> None:
    """Try a view's expectations on a sample of its newest rows, or the code of an on-demand view on
    a sample of its inputs, and store the result as evidence.

    A draft becomes production on it. `fieldhouse materialize` stores the same of stored views, and
    parity.
    Ends with status 1 when one fails.

    \b
    Example:
      fieldhouse lifecycle prove airport_weather:temp
    """
    from registry.cli.session import open_here, principal_here, project_settings
    from registry.kernel.errors import Misuse, NotFound
    from registry.ports import CommandPorts
    from registry.service.evidence import prove as prove_view
    from registry.service.evidence import prove_code
    from registry.service.outcome import newest_computed, newest_line

    settings = project_settings()
    registry = open_here(settings)
    principal = principal_here(registry, settings, token, "author", "steward", "operator")
    ports = click.get_current_context().find_object(CommandPorts)
    if ports is None or ports.expectations is None or ports.code is None:
        raise Misuse("there is no warehouse to look at")
    name = feature.partition(":")[0]
    published, context = registry.published(), registry.context
    view, computed = newest_line(published, name), newest_computed(published, name)
    if view is not None:
        test = ports.expectations(settings)
        results = prove_view(context, registry.namespace, view, test, principal.subject)
    elif computed is not None:
        code = ports.code(settings)
        results = prove_code(context, published, computed, code, principal.subject)
    else:
        held = {view.name for view in published.views.values()}
        held |= {view.name for view in published.on_demand.values()}
        raise NotFound("feature view", name, held)
    shown = [r for r in results if feature in (name, r.ref, r.ref.partition("@")[0])]
    out.data([{"feature": r.ref, "passed": r.passed, "said": r.said} for r in shown])
    if not all(r.passed for r in shown):
        click.get_current_context().exit(1)


def _move(move: Move, token: str | None, out: Output) -> None:
    from registry.cli.session import open_here, principal_here, project_settings

    settings = project_settings()
    registry = open_here(settings)
    principal = principal_here(registry, settings, token, "steward")
    published = move(registry, principal)
    out.data({"number": published.number}, f"the published state is number {published.number}")
