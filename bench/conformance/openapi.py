"""Runs schemathesis against a server of ours: `python -m bench.conformance.openapi [EXAMPLES]`.

So many examples of each operation, 100 unless said. Left out is its check that whatever fits the
schema is accepted: what the registry knows is in no schema.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from registry.core.definitions import Source
from registry.testing import feature, published, view
from tests.feature_server import issue_token, own_redis, served, write_project

PROGRAM = Path(sys.executable).with_name("schemathesis")
STATS = view(
    "stats",
    [feature("rate", "float64"), feature("safe", "int64", staleness="default", default=7)],
    {"driver": "string"},
    source=Source("stats_push", "push"),
)


def examine(examples: int = 100) -> int:
    """Once with an operator's token and once without; 0 when neither run found anything."""
    state = published(STATS, services={"drivers": ["stats:rate"]})
    with tempfile.TemporaryDirectory() as redis, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with own_redis(Path(redis)) as running:
            write_project(folder, state, running.url, timeout=2.0)
            with served(folder, 1) as server:
                bearer = f"Authorization: Bearer {issue_token(folder, 'operator')}"
                address = f"{server.address}/openapi.json"
                runs = [run(folder, examples, address, *more) for more in (("-H", bearer), ())]
    return max(runs)


def run(folder: Path, examples: int, address: str, *more: str) -> int:
    """The exit code of one run, which leaves what it notes in the folder."""
    phases = ("--phases", "examples,coverage,fuzzing", "--max-examples", str(examples))
    left_out = ("--exclude-checks", "positive_data_acceptance")
    command = [str(PROGRAM), "run", address, *phases, *left_out, "--request-timeout", "20", *more]
    return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(examine(*map(int, sys.argv[1:])))
