"""Pairs of queries that nobody here made, through `fieldhouse check`: definitions alone, no data.

One namespace registers the first query of each pair, another proposes the second. A query has no
key and no time, so each is wrapped with constant ones, and every output column is a feature.
`BENCH_VERIEQL` and `BENCH_SQLSOLVER` name the folders that hold the corpora, see `verieql.py` and
`sqlsolver.py`.
"""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from bench.duplicates.answers import DEFINITION
from bench.duplicates.metrics import Rate
from bench.duplicates.pairs import Pair, in_checks, same_text
from bench.duplicates.project import KNOWN, VALUES, CommandFailed, Project
from bench.duplicates.repository import write_views
from bench.duplicates.sqlsolver import DATA, read_sqlsolver
from bench.duplicates.verieql import FILES, read_verieql

A_CHECK: Final = 40
_TOML: Final = f"""[project]
namespace = "{KNOWN}"
[clock]
instant = "2023-03-27T00:00:00Z"
[feast]
sync = false
"""
# Columns of one query may be one and the same, and some queries say less than we ask of features.
_LENIENT: Final = """[rules]
duplicate-definition = "off"
query-order-dependent = "off"
"""
_REF = re.compile(r"\b([A-Za-z0-9_-]+)/([A-Za-z0-9_]+):[A-Za-z0-9_]+@\d+")

Told = Mapping[tuple[str, str], set[str]]
Read = Callable[[Path], tuple[list[Pair], Counter[str]]]
CORPORA: Final[Mapping[str, tuple[str, str, Read]]] = {
    "VeriEQL": ("BENCH_VERIEQL", FILES[0], read_verieql),
    "SQLSolver": ("BENCH_SQLSOLVER", DATA, read_sqlsolver),
}


def examine_public(environ: Mapping[str, str], scratch: Path, processes: int) -> dict[str, Any]:
    """What the definitions say of the pairs of each corpus that is at hand."""
    facts: dict[str, Any] = {}
    for name, (variable, holds, read) in CORPORA.items():
        folder = Path(environ.get(variable) or "/nowhere")
        if (folder / holds).exists():
            pairs, left_out = read(folder)
            facts[name] = {"left out": dict(left_out), **_examine(pairs, scratch / name, processes)}
    return facts


def _examine(pairs: Sequence[Pair], scratch: Path, processes: int) -> dict[str, Any]:
    """Recall on equal ones, and false refusals; of each source too (`calcite_7` is calcite's)."""
    shutil.rmtree(scratch, ignore_errors=True)
    groups = in_checks(pairs, A_CHECK)
    folders = [scratch / f"{number:02d}" for number in range(len(groups))]
    told: dict[tuple[str, str], set[str]] = {}
    failed: list[str] = []
    with ThreadPoolExecutor(processes) as pool:
        for group, found in zip(groups, pool.map(_ask, groups, folders), strict=True):
            if found is None:
                failed += [pair.name for pair in group]
            else:
                told |= found
    asked = [pair for pair in pairs if pair.name not in failed]
    sources = sorted({_source(pair) for pair in asked})
    return {
        "pairs": len(asked),
        "not checked": failed,
        **_counted(asked, told),
        "by source": {s: _counted([p for p in asked if _source(p) == s], told) for s in sources},
    }


def _source(pair: Pair) -> str:
    return pair.name.split("_")[0]


def _counted(pairs: Sequence[Pair], told: Told) -> dict[str, Any]:
    equal, unequal = ([p for p in pairs if p.equal is side] for side in (True, False))
    return {
        "equal ones refused": _refused(equal, told).facts(),
        "of those whose text differs": _refused(
            [p for p in equal if not same_text(p)], told
        ).facts(),
        "unequal ones refused": _refused(unequal, told).facts(),
        "unequal ones refused, by name": [p.name for p in unequal if _is_refused(p, told)],
        "named with another": [p.name for p in pairs if _names_another(p, told)],
    }


def _ask(pairs: Sequence[Pair], folder: Path) -> Told | None:
    """Of each (pair, column) the pairs that it is said to repeat; None where the definitions were
    not taken."""
    folder.mkdir(parents=True)
    (folder / "fieldhouse.toml").write_text(_TOML + _LENIENT)
    project = Project(folder)
    try:
        project.land(_repository(folder / "known", pairs, "left"))
        (folder / "fieldhouse.toml").write_text(_TOML)
        proposed = _repository(folder / "proposed", pairs, "right")
        return dict(_told(project.check(proposed, {VALUES: "false"})))
    except CommandFailed as error:
        (folder / "failed.txt").write_text(str(error))
        return None


def _told(findings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], set[str]]]:
    for finding in findings:
        if finding["rule"] == DEFINITION:
            pair, column = finding["subject"].split(":")
            named = {view for ns, view in _REF.findall(finding["message"]) if ns == KNOWN}
            yield (pair, column), named


def _named(pair: Pair, told: Told) -> list[set[str]]:
    return [told.get((pair.name, f"f{n}"), set()) for n in range(pair.columns)]


def _is_refused(pair: Pair, told: Told) -> bool:
    """All columns are said to repeat what is registered. Of equal pairs several may share a first
    query, any of which may be named; an unequal one is wronged by being likened to its own."""
    named = _named(pair, told)
    return all(named) if pair.equal else all(pair.name in names for names in named)


def _names_another(pair: Pair, told: Told) -> bool:
    named = _named(pair, told)
    return all(named) and not all(pair.name in names for names in named)


def _refused(pairs: Sequence[Pair], told: Told) -> Rate:
    return Rate(sum(_is_refused(pair, told) for pair in pairs), len(pairs))


def _repository(folder: Path, pairs: Sequence[Pair], side: str) -> Path:
    return write_views(
        folder,
        [
            (p.name, ("carrier",), getattr(p, side),
             [(f"f{n}", "Float64", f"column {n}", "1") for n in range(p.columns)])
            for p in pairs
        ],
    )  # fmt: skip
