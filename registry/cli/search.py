"""`search`: what exists already, before it is built a second time."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.kernel.output import Output, with_output

if TYPE_CHECKING:
    from registry.kernel.settings import Settings
    from registry.service.context import Context
    from registry.service.search import Found


@click.command()
@click.argument("question", required=False, default="")
@click.option("--sql", metavar="QUERY", help="Find what computes a column of this query.")
@click.option(
    "--sql-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The same."
)
@click.option("--like", metavar="FILE:COLUMN", help="Find what has these values; Parquet or CSV.")
@click.option("--key", "keys", multiple=True, metavar="COLUMN[=JOIN_KEY]", help="With --like.")
@click.option("--time", metavar="COLUMN", help="With --like: since when a row's value holds.")
@click.option("--entity", metavar="KEY", help="Only features found by this join key.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True)
@with_output
def search(
    question: str,
    sql: str | None,
    sql_file: Path | None,
    like: str | None,
    keys: tuple[str, ...],
    time: str | None,
    entity: str | None,
    limit: int,
    out: Output,
) -> None:
    """Find features by words, by the SQL that you were about to write, or by example values.

    \b
    Example:
      fieldhouse search "average delay of a carrier last month"
      fieldhouse search --entity origin "departures of the last 2 hours"
      fieldhouse search --sql "SELECT carrier, AVG(arr_delay) AS d FROM flights GROUP BY carrier"
      fieldhouse search --like delays.parquet:delay --key airline=carrier --time at
    """
    from registry.cli.session import open_with_warehouse, project_settings
    from registry.kernel.errors import Misuse
    from registry.service.search import search_sql, search_words

    query = sql_file.read_text(errors="replace") if sql_file is not None else sql
    asked = [bool(query), bool(question) or bool(entity and not query and not like), bool(like)]
    if sum(asked) != 1:
        raise Misuse(
            "search takes words, a query or an example", hint="give a question, --sql or --like"
        )
    settings = project_settings()
    context = open_with_warehouse(settings).context
    if query:
        found = search_sql(context, query, limit)
    elif like:
        found = _like(settings, context, (like, keys, time or ""), limit, out)
    else:
        found = search_words(context, question, entity, limit)
    if not found:
        out.say("nothing like it is registered")
    out.data(found)


def _like(
    settings: "Settings",
    context: "Context",
    asked: tuple[str, tuple[str, ...], str],
    limit: int,
    out: Output,
) -> "list[Found]":
    """Features with the values of a file's column; says how much could be compared."""
    from registry.kernel.errors import Misuse
    from registry.ports import CommandPorts
    from registry.service.search_like import search_like

    like, keys, time = asked
    file, _, column = like.rpartition(":")
    if not file or not column or not keys or not time:
        raise Misuse(
            "an example needs a file, a column, its keys and its time",
            hint="--like FILE:COLUMN --key COLUMN[=JOIN_KEY] --time COLUMN",
        )
    ports = click.get_current_context().find_object(CommandPorts)
    if ports is None or ports.examples is None:
        raise Misuse("there is no warehouse here that could read a file")
    sketch = ports.examples(settings)(Path(file), column, _keys(keys), time)
    if sketch is None:
        out.say(f"no row of {file} has a key and a time before now")
        return []
    alike = search_like(context, sketch, limit)
    out.say(f"{alike.compared} features compared, {alike.too_few} with too few keys in common")
    return list(alike.found)


def _keys(given: tuple[str, ...]) -> Mapping[str, str]:
    """Join keys and the file's columns for them: `airline=carrier`, or `carrier` for both."""
    pairs = (text.partition("=") for text in given)
    return {join_key or column: column for column, _, join_key in pairs}
