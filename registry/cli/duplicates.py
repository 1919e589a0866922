"""`duplicates`: what the registry holds twice, and answers to questions about look-alikes."""

from typing import Any

import click

from registry.cli.session import token_option
from registry.kernel.output import Output, with_output


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Families of mere variants too.")
@click.option("--refresh", is_flag=True, help="Sketch the values of this namespace again first.")
@with_output
@click.pass_context
def duplicates(context: click.Context, everything: bool, refresh: bool, out: Output) -> None:
    """Show what the registry holds twice, as families: duplicates, near-duplicates, variants.

    A family is features whose definitions are equal, or differ in a window, a filter or an
    aggregation alone, and those whose values are alike. Values are compared by sketches, which
    `--refresh` makes from the warehouse.

    \b
    Example:
      fieldhouse duplicates --refresh
      fieldhouse duplicates --all
    """
    if context.invoked_subcommand is None:
        _show(everything, refresh, out)


@duplicates.command()
@click.argument("feature")
@click.argument("other")
@click.option("--reuse", metavar="WHY", help="The new one is not needed: use the other.")
@click.option("--variant", metavar="WHY", help="Both are wanted, as members of one family.")
@click.option("--supersedes", metavar="WHY", help="The new one takes the other's place.")
@click.option("--distinct", metavar="WHY", help="They only look alike.")
@token_option
@with_output
def answer(feature: str, other: str, token: str | None, out: Output, **said: str | None) -> None:
    """Say what a feature is to another one that it looks like, and why.

    For whoever reviews: not who proposed it, nor a bot. The answer is kept, and the question is not
    asked again unless one of the two is computed in another way.

    \b
    Example:
      fieldhouse duplicates answer copy:price euros:amount --distinct "before tax"
    """
    from registry.cli.session import open_here, principal_here, project_settings
    from registry.kernel.errors import Misuse
    from registry.service.answers import answer as keep

    given: list[Any] = [(kind, why) for kind, why in said.items() if why is not None]
    if len(given) != 1:
        options = ", ".join(f"--{kind}" for kind in said)
        raise Misuse(f"{len(given)} answers were given", hint=f"give one: {options}")
    settings = project_settings()
    registry = open_here(settings)
    principal = principal_here(registry, settings, token)
    kind, why = given[0]
    made = keep(registry.context, registry.namespace, (feature, other), kind, why, principal)
    out.data(made, f"{made.feature} and {made.other}: {made}")


def _show(everything: bool, refresh: bool, out: Output) -> None:
    from registry.cli.session import open_with_warehouse, project_settings
    from registry.reports.kinship import kin_counts, kin_text
    from registry.service.alike import refresh_sketches
    from registry.service.kinship import whole_registry

    registry = open_with_warehouse(project_settings())
    context = registry.context
    if refresh and context.sketches is not None:
        count, unread = refresh_sketches(context, registry.published())
        out.say(f"sketched {count} features")
        for view, why in unread.items():
            out.say(f"{view} could not be read: {why}")
    found = whole_registry(context)
    shown = [kin for kin in found if everything or kin.doubled]
    hidden = len(found) - len(shown)
    also = f"; {hidden} families of variants alone: --all shows them" if hidden else ""
    out.say(f"{kin_counts(found)}{also}")
    out.data({"families": shown}, kin_text(shown))
