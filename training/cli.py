"""`fieldhouse dataset …`: the commands of training sets. Reads options, prints; decides nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.kernel.errors import Misuse
from registry.kernel.output import Output, table_text, with_output

if TYPE_CHECKING:
    from training.build import Training
    from training.diff import DatasetDiff
    from training.live import Live
    from training.manifest import Manifest
    from training.splits import Splits
    from training.verify import Verification


@click.group()
def dataset() -> None:
    """Build training sets, list them, verify and compare them.

    \b
    Example:
      fieldhouse dataset build --name delays --spine flights.parquet --service flight_delay
    """


@dataset.command()
@click.option("--name", required=True, help="The new set's name.")
@click.option("--spine", help="Parquet file or glob with keys, times and label.")
@click.option("--spine-sql", help="A SELECT over the warehouse that gives the same.")
@click.option("--service", help="The feature service whose features to join.")
@click.option("--features", multiple=True, help="view:feature; repeat, or separate by commas.")
@click.option("--label", help="The label's column.")
@click.option("--time-column", default="event_timestamp", show_default=True)
@click.option("--time-zone", default="UTC", show_default=True, help="Of times that carry none.")
@click.option("--split", "splits", multiple=True, help="NAME=INSTANT, the last NAME= alone.")
@click.option("--gap-hours", default=0.0, help="Hours before each split's end to leave out.")
@click.option("--allow-deprecated", metavar="REASON", help="Use deprecated features all the same.")
@with_output
def build(
    out: Output,
    name: str,
    spine: str | None,
    spine_sql: str | None,
    service: str | None,
    features: Sequence[str],
    splits: Sequence[str],
    gap_hours: float,
    **options: Any,
) -> None:
    """Join features to each spine row as they were known at the row's time.

    \b
    Example:
      fieldhouse dataset build --name delays --spine flights.parquet \\
        --service flight_delay --label late --split train=2013-09-01T00:00:00Z --split test=
    """
    made = _training().build(
        name,
        _one_of(("--spine", spine), ("--spine-sql", spine_sql)),
        _one_of(("--service", service), ("--features", _listed(features))),
        splits=_splits(splits, gap_hours),
        **options,
    )
    out.say(f"kept in {made.folder}")
    out.data(_facts(made.manifest, made.digest), _manifest_text(made.manifest, made.digest))


@dataset.command("list")
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
        for made in _training().all()
    ]
    out.data(rows, None if rows else "no training sets yet")


@dataset.command()
@click.argument("name")
@with_output
def show(out: Output, name: str) -> None:
    """Show one set's manifest.

    \b
    Example:
      fieldhouse dataset show delays
    """
    made = _training().load(name)
    out.data(_facts(made.manifest, made.digest), _manifest_text(made.manifest, made.digest))


@dataset.command()
@click.argument("name")
@click.option("--live", is_flag=True, help="Also say which sources have moved on since.")
@with_output
@click.pass_context
def verify(ctx: click.Context, out: Output, name: str, live: bool) -> None:
    """Build a set again from its snapshots and compare it exactly; exit 1 when it differs.

    \b
    Example:
      fieldhouse dataset verify delays
    """
    found = _training().verify(name, live)
    out.data({"ok": found.ok, **_plain(found)}, _verification_text(found))
    if not found.ok:
        ctx.exit(1)


@dataset.command()
@click.argument("left")
@click.argument("right")
@with_output
def diff(out: Output, left: str, right: str) -> None:
    """Compare two sets by schema, rows and distributions.

    \b
    Example:
      fieldhouse dataset diff delays delays-2
    """
    found = _training().diff(left, right)
    out.data(found, _diff_text(found))


def _training() -> "Training":
    from registry.kernel.settings import read_settings
    from training.bootstrap import open_training

    return open_training(read_settings(Path.cwd()))


def _one_of(*options: tuple[str, Any]) -> Any:
    given = [(name, value) for name, value in options if value]
    if len(given) != 1:
        names = " or ".join(name for name, _ in options)
        found = f"found {' and '.join(name for name, _ in given) or 'neither'}"
        raise Misuse(f"give one of {names}", found)
    return given[0][1]


def _listed(features: Sequence[str]) -> list[str]:
    return [ref.strip() for text in features for ref in text.split(",") if ref.strip()]


def _splits(texts: Sequence[str], gap_hours: float) -> "Splits | None":
    from registry.kernel.clock import parse_instant
    from training.splits import split_by_time

    if not texts:
        return None
    parts = [text.partition("=") for text in texts]
    ends = {name: parse_instant(end) if end else None for name, _, end in parts}
    return split_by_time(ends, gap_seconds=gap_hours * 3600)


def _plain(value: Any) -> dict[str, Any]:
    from registry.kernel.output import plain

    found: dict[str, Any] = plain(value)
    return found


def _facts(manifest: "Manifest", digest: str) -> dict[str, Any]:
    """The manifest as it is kept, and its digest."""
    import json

    from training.manifest import to_json

    return {"digest": digest, **json.loads(to_json(manifest))}


def _manifest_text(manifest: "Manifest", digest: str) -> str:
    spec = manifest.recipe.spec
    facts = {
        "training set": manifest.name,
        "digest": digest,
        "content hash": manifest.content_hash,
        "rows": f"{manifest.rows:,}",
        "built": f"{manifest.created_at:%Y-%m-%d %H:%M:%S} UTC by {manifest.created_by}",
        "from": f"published state {manifest.published_number}, {manifest.engine}",
        "code": manifest.code_revision or "not in a git checkout",
        "label": spec.label or "none",
        "parts": ", ".join(f"{part.name} {part.rows:,}" for part in manifest.parts) or "none",
    }
    width = max(map(len, facts))
    head = "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items())
    sections = [head, _columns_text(manifest), _coverage_text(manifest), _snapshots_text(manifest)]
    return "\n\n".join([*sections, _findings_text(manifest)])


def _columns_text(manifest: "Manifest") -> str:
    rows = []
    for column in manifest.columns:
        profile = manifest.profiles[column.name]
        shown = (column.name, column.ref or column.role, column.arrow, f"{profile.null_rate:.1%}")
        rows.append((*shown, profile.mean))
    return table_text(("column", "what", "type", "null", "mean"), rows)


def _coverage_text(manifest: "Manifest") -> str:
    rows = [(c.view, c.found, f"{c.share:.1%}", c.expired) for c in manifest.coverage]
    return table_text(("view", "rows answered", "share", "left out by ttl"), rows)


def _snapshots_text(manifest: "Manifest") -> str:
    rows = [(kept.of, kept.rows, kept.digest) for kept in manifest.snapshots]
    return table_text(("snapshot of", "rows", "digest"), rows)


def _findings_text(manifest: "Manifest") -> str:
    if not manifest.findings:
        return "checks: nothing found"
    return "\n".join(
        f"{f.severity}: {f.message if f.subject in f.message else f'{f.subject} {f.message}'}"
        + (f"\n  {f.hint}" if f.hint else "")
        for f in manifest.findings
    )


def _verification_text(found: "Verification") -> str:
    verdict = "is exactly what was built" if found.ok else "is NOT what was built"
    lines = [
        f"{found.name} {verdict}",
        f"  manifest  {found.expected}",
        f"  stored    {found.stored or 'cannot be read'}",
        f"  rebuilt   {found.rebuilt or 'cannot be rebuilt'}",
        *(f"  damaged: {what}" for what in found.damaged),
    ]
    if found.live is not None:
        lines += [f"  moved on: {m.source}: {m.reason}" for m in found.live.moved]
        lines += [f"  {_live_text(found.live)}"]
    return "\n".join(lines)


def _live_text(live: "Live") -> str:
    if live.changed is None:
        return f"from the live sources it cannot be built: {live.reason}"
    if not live.changed:
        moved = "the same rows" if live.moved else "no source has moved on"
        return f"from the live sources: {moved}"
    where = ", ".join(live.columns)
    return f"from the live sources {live.changed:,} rows would be others, in {where}"


def _diff_text(found: "DatasetDiff") -> str:
    if found.same:
        return f"{found.left} and {found.right} hold the same data"
    lines = [f"rows: {found.rows[0]:,} → {found.rows[1]:,}"]
    lines += [f"added: {name}" for name in found.added]
    lines += [f"removed: {name}" for name in found.removed]
    for change in found.changed:
        apart = f", distance {change.apart:.3f}" if change.apart is not None else ""
        nulls = f"null {change.nulls[0]:.1%} → {change.nulls[1]:.1%}"
        lines.append(f"changed: {change.column}: {'; '.join([*change.what, nulls])}{apart}")
    return "\n".join(lines)
