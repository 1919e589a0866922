"""Pairs of VeriEQL's experiments: what a verifier proved of them, or refuted by a counterexample.

Reads `calcite.out` and `literature.out` of github.com/VeriEQL/VeriEQL (experiments of 2023-03-27),
which carry pairs from Apache Calcite's rewriting tests and from the literature, each with the
states that were reached: NEQ comes with a counterexample, EQU holds up to a bound. That repository
states no licence, so nothing of it is kept here.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.duplicates.pairs import Pair, Unusable, pair_of

FILES: Final = ("calcite.out", "literature.out")


def read_verieql(folder: Path) -> tuple[list[Pair], Counter[str]]:
    """The pairs that were decided and that DuckDB takes; how many were left out, by reason."""
    found: list[Pair] = []
    out: Counter[str] = Counter()
    for file in FILES:
        source = file.removesuffix(".out")
        for line in (folder / file).read_text().splitlines():
            try:
                found.append(_pair(source, json.loads(line)))
            except Unusable as why:
                out[str(why)] += 1
    return found, out


def _pair(source: str, record: Mapping[str, Any]) -> Pair:
    states = set(record["states"] or ())
    if not states & {"EQU", "NEQ"}:
        raise Unusable("the verifier gave no answer")
    schema = {
        table: {name: kind or "INT" for name, kind in columns.items()}
        for table, columns in record["schema"].items()
    }
    return pair_of(f"{source}_{record['index']}", "NEQ" not in states, record["pair"], schema)
