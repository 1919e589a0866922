"""`search`: what exists already, before it is built a second time."""

from pathlib import Path

import click

from registry.kernel.output import Output, with_output


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
