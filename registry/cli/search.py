"""`search` and `duplicates`: what exists already, before it is built a second time."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.core.definitions import JoinKey


@click.command()
@click.argument("question", required=False, default="")
@click.option("--sql", metavar="QUERY", help="Find what computes a column of this query.")
@click.option(
    "--sql-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The same."
)
@click.option("--entity", metavar="KEY", help="Only features found by this join key.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True)
@with_output
def search(
    question: str,
    sql: str | None,
    sql_file: Path | None,
    entity: str | None,
    limit: int,
    out: Output,
) -> None:
    """Find features by words, or by the SQL that you were about to write.

    \b
    Example:
      fieldhouse search "average delay of a carrier last month"
      fieldhouse search --entity origin "departures of the last 2 hours"
      fieldhouse search --sql "SELECT carrier, AVG(arr_delay) AS d FROM flights GROUP BY carrier"
    """
    from registry.cli.session import open_here, project_settings
    from registry.kernel.errors import Misuse
    from registry.service.search import search_sql, search_words

    query = sql_file.read_text() if sql_file is not None else sql
    if bool(query) == bool(question):
        raise Misuse("search takes words or a query", hint="give a question, or --sql")
    context = open_here(project_settings()).context
    if query:
        found = search_sql(context, query, limit)
    else:
        found = search_words(context, question, entity, limit)
    if not found:
        out.say("nothing like it is registered")
    out.data(found)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Families of mere variants too.")
@click.option("--refresh", is_flag=True, help="Sketch the values of this namespace again first.")
@with_output
def duplicates(everything: bool, refresh: bool, out: Output) -> None:
    """Show what the registry holds twice: by definition as families, and by values as pairs.

    A family is features whose definitions are equal, or differ in a window, a filter or an
    aggregation alone. Values are compared by sketches, which `--refresh` makes from the warehouse.

    \b
    Example:
      fieldhouse duplicates --refresh
      fieldhouse duplicates --all
    """
    from registry.cli.session import open_here, project_settings
    from registry.service.alike import alike_pairs, refresh_sketches
    from registry.service.search import find_families

    registry = open_here(project_settings())
    context = registry.context
    if refresh and context.sketches is not None:
        count, unread = refresh_sketches(context, context.sketches, registry.published())
        out.say(f"sketched {count} features")
        for view, why in unread.items():
            out.say(f"{view} could not be read: {why}")
    found = find_families(context)
    shown = [family for family in found if everything or family.duplicates]
    out.say(
        f"{len(shown)} of {len(found)} families shown" + ("" if everything else "; --all shows all")
    )
    entities = [_entity(view.join_keys) for view in registry.published().views.values()]
    pairs = alike_pairs(context, entities)
    texts = [_text(family.members[0].ref, family.facets) for family in shown]
    texts += [f"{p.left}\n  {p.right}: {p.verdict} by values: {p.why}" for p in pairs]
    out.data({"families": shown, "pairs": pairs}, "\n\n".join(texts))


def _entity(keys: "tuple[JoinKey, ...]") -> str:
    return ", ".join(sorted(key.name for key in keys))


def _text(first: str, facets: tuple[tuple[str, str], ...]) -> str:
    return "\n".join([first, *(f"  {ref}: {said}" for ref, said in facets)])
