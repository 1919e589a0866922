"""Pairs of queries that nobody here made, with what others proved of them: VeriEQL's results.

Reads the files `calcite.out` and `literature.out` of github.com/VeriEQL/VeriEQL (experiments of
2023-03-27), which carry pairs from Apache Calcite's rewriting tests and from the literature, each
with the states that a verifier reached: NEQ comes with a counterexample, EQU holds up to a bound.
That repository states no licence, so nothing of it is kept here; name the folder that holds the
files in `BENCH_VERIEQL`.

Only definitions are compared: there are no data. One namespace registers the first query of each
pair, another proposes the second, through `fieldhouse check`. A query has no key and no time, so
each is wrapped with constant ones, and every output column is a feature.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from bench.duplicates.metrics import Rate
from bench.duplicates.project import KNOWN, VALUES, Project
from bench.duplicates.repository import write_views

VARIABLE: Final = "BENCH_VERIEQL"
_TOML: Final = f"""[project]
namespace = "{KNOWN}"
[clock]
instant = "2023-03-27T00:00:00Z"
[feast]
sync = false
"""
# The pairs repeat one another, and some say less than we ask of features: all are registered.
_LENIENT: Final = """[rules]
duplicate-definition = "off"
query-order-dependent = "off"
"""
FILES: Final = ("calcite.out", "literature.out")
_NAME = re.compile(r"^[A-Za-z_]\w*$")
_REF = re.compile(r"\b([A-Za-z0-9_-]+)/([A-Za-z0-9_]+):[A-Za-z0-9_]+@\d+")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two queries over one schema, `equal` or proven not to be; wrapped, with their columns."""

    name: str
    equal: bool
    left: str
    right: str
    columns: int


def read_pairs(folder: Path) -> tuple[list[Pair], dict[str, int]]:
    """The pairs that DuckDB understands, and how many were left out, by reason."""
    found: list[Pair] = []
    out: dict[str, int] = {}
    for file in FILES:
        for line in (folder / file).read_text().splitlines():
            made = _pair(file.removesuffix(".out"), json.loads(line))
            if isinstance(made, Pair):
                found.append(made)
            else:
                out[made] = out.get(made, 0) + 1
    return found, out


def _pair(source: str, record: Mapping[str, Any]) -> Pair | str:
    states = set(record["states"] or ())
    if not states & {"EQU", "NEQ"}:
        return "the verifier gave no answer"
    with duckdb.connect(":memory:") as connection:
        for table, columns in record["schema"].items():
            listed = ", ".join(f'"{name}" {kind or "INT"}' for name, kind in columns.items())
            connection.execute(f'CREATE TABLE "{table}" ({listed})')
        try:
            names = [
                [row[0] for row in connection.sql(f"DESCRIBE ({query})").fetchall()]
                for query in record["pair"]
            ]
        except duckdb.Error:
            return "DuckDB does not take it"
    if len(names[0]) != len(names[1]):
        return "another number of columns"
    left, right = (_wrapped(q, n) for q, n in zip(record["pair"], names, strict=True))
    return Pair(f"{source}_{record['index']}", "NEQ" not in states, left, right, len(names[0]))


def _wrapped(query: str, names: Sequence[str]) -> str:
    """With a key and a time, and the columns under plain names."""
    plain = len(set(names)) == len(names) and all(map(_NAME.match, names))
    columns = names if plain else [f"c{n}" for n in range(len(names))]
    alias = "" if plain else f"({', '.join(columns)})"
    listed = ", ".join(f"t.{column} AS f{n}" for n, column in enumerate(columns))
    time = "TIMESTAMPTZ '2020-01-01 00:00:00+00' AS known_at"
    return f"SELECT 'one' AS carrier, {time}, {listed} FROM ({query}) AS t{alias}"


def examine_public(folder: Path, scratch: Path) -> dict[str, Any]:
    """What the definitions alone say of the pairs; recall on equal ones, and false refusals."""
    pairs, left_out = read_pairs(folder)
    project = _empty_project(scratch)
    project.land(_repository(scratch / "known", pairs, "left"))
    (scratch / "fieldhouse.toml").write_text(_TOML)
    proposed = _repository(scratch / "proposed", pairs, "right")
    findings = project.check(proposed, {VALUES: "false"})
    told = dict(_told(findings))
    equal, unequal = ([p for p in pairs if p.equal is side] for side in (True, False))
    return {
        "pairs": len(pairs),
        "left out": left_out,
        "equal ones refused": _refused(equal, told).facts(),
        "unequal ones refused": _refused(unequal, told).facts(),
        "unequal ones refused, by name": [p.name for p in unequal if _is_refused(p, told)],
        "unequal ones named with another": [p.name for p in unequal if _names_another(p, told)],
        "same text": sum(p.left == p.right for p in equal),
    }


def _told(findings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], set[str]]]:
    """Of each proposed (pair, column) the pairs whose registered query it is said to repeat."""
    for finding in findings:
        if finding["rule"] == "duplicate-definition":
            pair, column = finding["subject"].split(":")
            named = {view for ns, view in _REF.findall(finding["message"]) if ns == KNOWN}
            yield (pair, column), named


def _is_refused(pair: Pair, told: Mapping[tuple[str, str], set[str]]) -> bool:
    """All columns are said to repeat what is registered. Of equal pairs several share a first
    query, any of which may be named; an unequal one is wronged by being likened to its own."""
    named = [told.get((pair.name, f"f{n}"), set()) for n in range(pair.columns)]
    return all(named) if pair.equal else all(pair.name in names for names in named)


def _names_another(pair: Pair, told: Mapping[tuple[str, str], set[str]]) -> bool:
    named = [told.get((pair.name, f"f{n}"), set()) for n in range(pair.columns)]
    return all(named) and not _is_refused(pair, told)


def _refused(pairs: Sequence[Pair], told: Mapping[tuple[str, str], set[str]]) -> Rate:
    return Rate(sum(_is_refused(pair, told) for pair in pairs), len(pairs))


def _empty_project(folder: Path) -> Project:
    folder.mkdir(parents=True)
    (folder / "fieldhouse.toml").write_text(_TOML + _LENIENT)
    return Project(folder)


def _repository(folder: Path, pairs: Sequence[Pair], side: str) -> Path:
    return write_views(
        folder,
        [
            (p.name, ("carrier",), getattr(p, side),
             [(f"f{n}", "Float64", f"column {n}", "1") for n in range(p.columns)])
            for p in pairs
        ],
    )  # fmt: skip


def public_folder() -> Path | None:
    """The folder named by `BENCH_VERIEQL`, where it holds the files."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else None
    return folder if folder and all((folder / file).is_file() for file in FILES) else None
