"""What the dataset commands say, as text for a person. Prints nothing."""

from registry.kernel.clock import format_instant
from registry.kernel.output import table_text
from training.diff import DatasetDiff
from training.garbage import Garbage
from training.live import Live
from training.manifest import Manifest
from training.moved import Move
from training.spec import TrainingSpec
from training.verify import Verification


def manifest_text(manifest: Manifest, digest: str) -> str:
    """A manifest in full, for a person."""
    spec = manifest.recipe.spec
    facts = {
        "training set": manifest.name,
        "digest": digest,
        "content hash": manifest.content_hash,
        "rows": f"{manifest.rows:,}",
        "built": f"{manifest.created_at:%Y-%m-%d %H:%M:%S} UTC by {manifest.created_by}",
        "from": f"published state {manifest.published_number}, {manifest.engine}",
        "code": manifest.code_revision or "not in a git checkout",
        "label": _label_text(manifest),
        "values": _values_text(spec),
        "parts": _parts_text(manifest),
    }
    width = max(map(len, facts))
    head = "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items())
    sections = [head, _columns_text(manifest), _coverage_text(manifest), _snapshots_text(manifest)]
    return "\n\n".join([*sections, findings_text(manifest)])


def _label_text(manifest: Manifest) -> str:
    left = f"; {manifest.immature:,} rows left out, not known yet" if manifest.immature else ""
    return f"{manifest.label or 'none'}{left}"


def _values_text(spec: TrainingSpec) -> str:
    if spec.as_served is not None:
        return f"as served by runs {spec.as_served.sentence}"
    return f"as of {format_instant(spec.as_of)}" if spec.as_of else "as of each row's own time"


def _parts_text(manifest: Manifest) -> str:
    if not manifest.parts:
        return "none"
    in_none = manifest.rows - sum(part.rows for part in manifest.parts)
    told = [f"{part.name} {part.rows:,}" for part in manifest.parts]
    return ", ".join([*told, *([f"in none {in_none:,}"] if in_none else [])])


def _columns_text(manifest: Manifest) -> str:
    rows = []
    for column in manifest.columns:
        profile = manifest.profiles[column.name]
        shown = (column.name, column.ref or column.role, column.arrow, f"{profile.null_rate:.1%}")
        rows.append((*shown, profile.mean))
    return table_text(("column", "what", "type", "null", "mean"), rows)


def _coverage_text(manifest: Manifest) -> str:
    rows = [
        (c.view, c.found, f"{c.share:.1%}", c.expired, f"{c.keys_found} of {c.keys}")
        for c in manifest.coverage
    ]
    headers = ("view", "rows answered", "share", "left out by ttl", "keys answered")
    return table_text(headers, rows)


def _snapshots_text(manifest: Manifest) -> str:
    rows = [(kept.of, kept.rows, kept.digest) for kept in manifest.snapshots]
    return table_text(("snapshot of", "rows", "digest"), rows)


def findings_text(manifest: Manifest) -> str:
    """Each finding with its numbers and what to do."""
    if not manifest.findings:
        return "checks: nothing found"
    return "\n".join(
        f"{f.severity}: {f.message if f.subject in f.message else f'{f.subject} {f.message}'}"
        + (f"\n  {f.hint}" if f.hint else "")
        for f in manifest.findings
    )


def verification_text(found: Verification) -> str:
    """The verdict, the three hashes, and what has moved on."""
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


def _live_text(live: Live) -> str:
    if live.changed is None:
        return f"from the live sources it cannot be built: {live.reason}"
    if not live.changed:
        moved = "the same rows" if live.moved else "no source has moved on"
        return f"from the live sources: {moved}"
    where = ", ".join(live.columns)
    return f"from the live sources {live.changed:,} rows would be others, in {where}"


def diff_text(found: DatasetDiff) -> str:
    """What differs, a line each."""
    if found.same:
        return f"{found.left} and {found.right} hold the same data"
    lines = [f"rows: {found.rows[0]:,} → {found.rows[1]:,}"]
    if found.moved is not None:
        lines.append(f"by key and time, in the columns of both: {_rows_text(found.moved)}")
    lines += [f"added: {name}" for name in found.added]
    lines += [f"removed: {name}" for name in found.removed]
    for change in found.changed:
        apart = f", distance {change.apart:.3f}" if change.apart is not None else ""
        nulls = f"null {change.nulls[0]:.1%} → {change.nulls[1]:.1%}"
        lines.append(f"changed: {change.column}: {'; '.join([*change.what, nulls])}{apart}")
    return "\n".join(lines)


def _rows_text(moved: Move) -> str:
    counts = (
        (moved.appended, "only in the second"),
        (moved.removed, "only in the first"),
        (moved.corrected, "with other values"),
        (moved.repeated, "more often in the second"),
    )
    told = [f"{count:,} {what}" for count, what in counts if count]
    return ", ".join([*told, *(f"another type: {what}" for what in moved.retyped)])


def quality_text(manifest: Manifest) -> str:
    """What each expectation found, failures first, then the checks."""
    if not manifest.quality:
        return f"no expectations were run\n\n{findings_text(manifest)}"
    rows = [
        (
            "holds" if result.success else "FAILS",
            one.subject,
            one.on,
            result.sentence.removeprefix("expect_"),
            f"{one.report.rows_checked if result.sampled else one.report.rows:,}",
        )
        for one in manifest.quality
        for result in one.report.results
    ]
    table = table_text(("", "view", "on", "expectation", "rows seen"), sorted(rows))
    return f"{table}\n\n{findings_text(manifest)}"


def garbage_text(found: Garbage) -> str:
    """What was removed, or would be."""
    verb = "would remove" if found.dry_run else "removed"
    head = (
        f"{verb} {len(found.files)} files, {found.bytes / 1e6:,.1f} MB;"
        f" {found.kept} snapshots are in use"
    )
    return "\n".join([head, *(f"  {name}" for name in found.files)])
