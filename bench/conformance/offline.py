"""Runs Feast's own offline tests against our store: `python -m bench.conformance.offline CHECKOUT`.

CHECKOUT is a folder with `sdk/python/tests` of feast-dev/feast. Needs the packages that Feast's
tests import beside ours (see OFFLINE.md). The suite is run twice, with created times as we read
them and as Feast does. Prints how many tests passed and which did not.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = "tests/integration/offline_store"
FILES = (
    "test_universal_historical_retrieval.py",
    "test_universal_types.py",
    "test_universal_materialization.py",
    "test_offline_write.py",
    "test_push_features_to_offline_store.py",
    "test_persist.py",
    "test_feature_logging.py",
    "test_non_entity_mode.py",
)
LEFT_OUT = "not ray_offline_stores_only and not rbac_remote_integration_test"


def run(checkout: Path, created: str, python: str) -> str:
    """The last lines of pytest's report: failures, then how many passed."""
    place = checkout / "sdk" / "python"
    path = os.pathsep.join([str(place), str(ROOT)])
    environ = {
        **os.environ,
        "IS_TEST": "True",
        "FEAST_IS_LOCAL_TEST": "True",
        "FULL_REPO_CONFIGS_MODULE": "bench.conformance.offline_repo",
        "FIELDHOUSE_CONFORMANCE_CREATED": created,
        "PYTHONPATH": path,
    }
    files = [f"{FOLDER}/{name}" for name in FILES]
    command = [python, "-m", "pytest", "-q", "-W", "ignore", "--integration", "-m", LEFT_OUT]
    done = subprocess.run(
        [*command, *files], cwd=place, env=environ, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    kept = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return "\n".join([*kept, *lines[-1:]])


def main(checkout: str, python: str = sys.executable) -> None:
    """`python` runs the tests: an environment that has what Feast's tests import."""
    for created in ("known", "tie_break"):
        print(f"created_times: {created}\n{run(Path(checkout), created, python)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
