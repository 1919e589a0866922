"""Runs schemathesis against a server of ours: `python -m bench.conformance.openapi SCHEMATHESIS`.

The argument is the program, best installed in an environment of its own. Left out is its check
that whatever fits the schema is accepted: what the registry knows is in no schema.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from registry.core.definitions import Source
from registry.testing import feature, published, view
from tests.feature_server import issue_token, own_redis, served, write_project

EXAMPLES = "100"
STATS = view(
    "stats",
    [feature("rate", "float64"), feature("safe", "int64", staleness="default", default=7)],
    {"driver": "string"},
    source=Source("stats_push", "push"),
)


def main(arguments: list[str]) -> int:
    """Once with an operator's token and once without."""
    state = published(STATS, services={"drivers": ["stats:rate"]})
    with tempfile.TemporaryDirectory() as redis, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with own_redis(Path(redis)) as running:
            write_project(folder, state, running.url, timeout=2.0)
            with served(folder, 1) as server:
                bearer = f"Authorization: Bearer {issue_token(folder, 'operator')}"
                address = f"{server.address}/openapi.json"
                runs = [run(arguments[0], address, *more) for more in (("-H", bearer), ())]
    return max(runs)


def run(program: str, address: str, *more: str) -> int:
    """The exit code of one run."""
    phases = ("--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES)
    left_out = ("--exclude-checks", "positive_data_acceptance")
    command = [program, "run", address, *phases, *left_out, "--request-timeout", "20", *more]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
