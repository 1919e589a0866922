"""The quality of a training set as HTML. Decides nothing.

Either one page of ours that needs nothing else, or pages as Great Expectations renders them.
"""

import os
import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from registry.kernel.clock import format_instant
from registry.kernel.errors import Unavailable
from training.manifest import Manifest, ViewQuality
from warehouse.quality_report import QualityResult, arguments_of_text

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
th{font-weight:600;background:#f5f5f5}.fails{color:#a00;font-weight:600}.holds{color:#161}
td.n{text-align:right}code{font-size:90%}.hint{color:#666}
"""


def quality_page(manifest: Manifest) -> str:
    """The page: a verdict, expectations by view, checks, and what each view answered."""
    failed = sum(len(one.report.failures) for one in manifest.quality)
    run = sum(len(one.report.results) for one in manifest.quality)
    built = f"{manifest.rows:,} rows, built {format_instant(manifest.created_at)}"
    engines = sorted({one.report.engine for one in manifest.quality} - {"none"})
    by = f", run by {escape(', '.join(engines))}" if engines else ""
    body = [
        f"<h1>Quality of training set {escape(manifest.name)}</h1>",
        f"<p>{escape(built)} by {escape(manifest.created_by)}.",
        f"{run - failed} of {run} expectations hold{by}.</p>",
        *map(_view, manifest.quality),
        _findings(manifest),
        _coverage(manifest),
    ]
    head = f"<meta charset=utf-8><title>{escape(manifest.name)}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>\n"


def write_gx_pages(folder: Path, manifest: Manifest) -> list[Path]:
    """Write what was expected of each source and of the built rows as a page of Great Expectations
    into `folder`, and give the paths. Raises `Unavailable` when the disk does not take them."""
    from warehouse.gx_page import gx_page  # Great Expectations takes seconds

    pages = []
    for one in manifest.quality:
        title = f"{one.subject} on {one.on}"
        pages.append(folder / f"{quote(title.replace(' ', '-'), safe='')}.html")
        page = gx_page(title, f"training set {manifest.name}", one.report, manifest.created_at)
        write_page(pages[-1], page)
    return pages


def write_page(path: Path, page: str) -> None:
    """Write a page whole or not at all; raises `Unavailable` when the disk does not take it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(page)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot write {path}", str(error)) from error


def _view(one: ViewQuality) -> str:
    where = "its source" if one.on == "source" else "the built rows"
    title = f"<h2>{escape(one.subject)}, on {where} ({one.report.rows:,} rows)</h2>"
    rows = (_result(result, one) for result in one.report.results)
    headers = ("", "expectation", "arguments", "seen", "unexpected", "rows looked at")
    return title + _table(headers, rows)


def _result(result: QualityResult, one: ViewQuality) -> Sequence[str]:
    verdict = "holds" if result.success else "fails"
    seen = result.error or result.observed
    share = f"{result.unexpected:,} ({result.unexpected_share:.2%})" if result.unexpected else ""
    looked = one.report.rows_checked if result.sampled else one.report.rows
    return (
        f"<td class={verdict}>{verdict}",
        f"<td>{escape(result.kind)}",
        f"<td><code>{escape(arguments_of_text(result.arguments))}</code>",
        f"<td><code>{escape(seen[:300])}</code>",
        f"<td class=n>{share}",
        f"<td class=n>{looked:,}{' (sample)' if result.sampled else ''}",
    )


def _findings(manifest: Manifest) -> str:
    rows = (
        (
            f"<td>{escape(f.severity)}",
            f"<td>{escape(f.rule)}",
            f"<td>{escape(f.subject)}",
            f"<td>{escape(f.message)}<div class=hint>{escape(f.hint)}</div>",
        )
        for f in manifest.findings
    )
    title = "<h2>Checks</h2>"
    if not manifest.findings:
        return f"{title}<p>Nothing found.</p>"
    return title + _table(("severity", "check", "about", "what, and what to do"), rows)


def _coverage(manifest: Manifest) -> str:
    rows = (
        (
            f"<td>{escape(c.view)}",
            f"<td class=n>{c.found:,} ({c.share:.1%})",
            f"<td class=n>{c.expired:,}",
            f"<td class=n>{c.keys_found:,} of {c.keys:,}",
        )
        for c in manifest.coverage
    )
    headers = ("view", "rows answered", "left out by ttl", "keys answered")
    return "<h2>What each view answers</h2>" + _table(headers, rows)


def _table(headers: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in headers)
    body = "".join(f"<tr>{''.join(row)}" for row in rows)
    return f"<table><thead><tr>{head}</thead><tbody>{body}</tbody></table>"
