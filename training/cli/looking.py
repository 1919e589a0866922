"""Commands that look at training sets: list, show, quality, verify, diff. They change nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.kernel.output import Output, plain, with_output
from training.cli.group import training_here

if TYPE_CHECKING:
    from training.dataset import TrainingSet


@click.command("list")
@with_output
def list_sets(out: Output) -> None:
    """List training sets.

    \b
    Example:
      fieldhouse dataset list
    """
    rows = [
        {
            "name": made.name,
            "rows": made.manifest.rows,
            "features": len(made.feature_names),
            "created": made.manifest.created_at,
            "digest": made.digest,
        }
        for made in training_here().all()
    ]
    out.data(rows, None if rows else "no training sets yet")


@click.command()
@click.argument("name")
@with_output
def show(out: Output, name: str) -> None:
    """Show one set's manifest.

    \b
    Example:
      fieldhouse dataset show delays
    """
    tell(out, training_here().load(name))


def tell(out: Output, made: "TrainingSet") -> None:
    """Print a set's manifest and digest: as it is kept with `--json`, else for a person."""
    from training.cli.text import manifest_text

    out.data(_facts(made), manifest_text(made.manifest, made.digest))


@click.command()
@click.argument("name")
@click.option("--html", type=click.Path(path_type=Path), help="Also write it as a page.")
@click.option(
    "--gx",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write Great Expectations' own pages into a folder.",
)
@with_output
def quality(out: Output, name: str, html: Path | None, gx: Path | None) -> None:
    """Show what expectations and checks found on a set, one in quarantine too.

    \b
    Example:
      fieldhouse dataset quality delays --html delays.html
    """
    from training.cli.text import quality_text
    from training.quality_page import quality_page, write_gx_pages, write_page

    made = training_here().quality_of(name)
    if html is not None:
        write_page(html, quality_page(made.manifest))
        out.say(f"wrote {html}")
    for page in write_gx_pages(gx, made.manifest) if gx is not None else ():
        out.say(f"wrote {page}")
    facts = {
        "name": name,
        "success": all(one.report.success for one in made.manifest.quality),
        "quality": made.manifest.quality,
        "findings": made.manifest.findings,
        "coverage": made.manifest.coverage,
    }
    out.data(facts, quality_text(made.manifest))


@click.command()
@click.argument("name")
@click.option("--live", is_flag=True, help="Also say which sources have moved on since.")
@with_output
@click.pass_context
def verify(ctx: click.Context, out: Output, name: str, live: bool) -> None:
    """Build a set again from its snapshots and compare it exactly; exit 1 when it differs.

    \b
    Example:
      fieldhouse dataset verify delays --live
    """
    from training.cli.text import verification_text

    found = training_here().verify(name, live)
    out.data({"ok": found.ok, **plain(found)}, verification_text(found))
    if not found.ok:
        ctx.exit(1)


@click.command()
@click.argument("left")
@click.argument("right")
@with_output
def diff(out: Output, left: str, right: str) -> None:
    """Compare two sets by schema, rows and distributions.

    \b
    Example:
      fieldhouse dataset diff delays delays-2
    """
    from training.cli.text import diff_text

    found = training_here().diff(left, right)
    out.data(found, diff_text(found))


@click.command()
@click.argument("name")
@click.argument("row", type=int)
@click.option("--part", help="Count the rows of this part.")
@with_output
def explain(out: Output, name: str, row: int, part: str | None) -> None:
    """Show where each value of a row came from: source row, times and age; rows count from 0.

    \b
    Example:
      fieldhouse dataset explain delays 0
    """
    found = training_here().explain(name, row, part)
    out.data(found, str(found))


def _facts(made: "TrainingSet") -> dict[str, Any]:
    import json

    from training.manifest import to_json

    return {"digest": made.digest, **json.loads(to_json(made.manifest))}
