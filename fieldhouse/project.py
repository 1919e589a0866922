"""The commands about a project as a whole: `init` and `doctor`. Heavy imports wait inside."""

from pathlib import Path

import click

from registry.kernel.output import Output, table_text, with_output


@click.command()
@with_output
def doctor(out: Output) -> None:
    """Say what is configured, from where, and what is wrong.

    Exits 1 when something is wrong.

    \b
    Example:
      fieldhouse doctor
      FIELDHOUSE_CLOCK_INSTANT=2013-10-01T12:00:00Z fieldhouse doctor --json
    """
    from fieldhouse.doctor import Diagnosis, diagnose
    from registry.kernel.output import plain
    from registry.kernel.settings import read_settings

    def text(found: Diagnosis) -> str:
        lines = table_text(
            ["setting", "value", "from"], [[s.name, s.value, s.origin] for s in found.settings]
        )
        checks = table_text(
            ["", "looked at", "found"], [[c.verdict, c.about, c.found] for c in found.checks]
        )
        hints = "\n".join(f"{c.about}: {c.hint}" for c in found.checks if c.hint)
        return "\n\n".join(part for part in (lines, checks, hints) if part)

    diagnosis = diagnose(read_settings(Path.cwd()))
    out.data({**plain(diagnosis), "wrong": diagnosis.wrong}, text(diagnosis))
    if diagnosis.wrong:
        out.say(f"{diagnosis.wrong} wrong")
        click.get_current_context().exit(1)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="A Parquet or CSV file: one row for each thing and moment.",
)
@click.option("--entity", help="The column that says which thing a row is about.")
@click.option("--time", "time_column", help="The column that says when a row became known.")
@click.option("--name", help="The name of the table and view; the file's name otherwise.")
@with_output
def init(
    folder: Path,
    data: Path,
    entity: str | None,
    time_column: str | None,
    name: str | None,
    out: Output,
) -> None:
    """Make a small working repository in DIR from a file of your own.

    Guesses which column is the entity's key and which the event time, says so, and lists what
    you should fill in. Writes nothing when DIR already holds a project.

    \b
    Example:
      fieldhouse init shop --data orders.csv --entity customer_id --time ordered_at
    """
    from fieldhouse.init import make_project

    made = make_project(folder, data, entity, time_column, name)
    for sentence in made.advice:
        out.say(sentence)
    out.data(made, "\n".join(made.files))
