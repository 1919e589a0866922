"""Runs Feast's universal online tests from a checkout: `python -m bench.conformance CHECKOUT`.

The checkout's test requirements must be importable (README.md beside this file names them); what
does not come with Fieldhouse is best installed in an environment of its own. Writes
bench/out/conformance_online.json and prints a table.
"""

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from featureserver.testing import temporary_redis

ROOT = Path(__file__).parent.parent.parent
SUITES = (
    "integration/online_store/test_universal_online.py",
    "integration/online_store/test_universal_online_types.py",
)


def main(arguments: list[str]) -> int:
    """Run the suites of the checkout named first; further arguments go to pytest."""
    tests = Path(arguments[0]).resolve() / "sdk/python/tests"
    if not tests.is_dir():
        print(f"{tests} is not there: name a checkout of feast-dev/feast")
        return 2
    with temporary_redis() as url, tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        run_suites(tests, url, report, arguments[1:])
        outcomes = read_report(report)
    out = ROOT / "bench/out"
    out.mkdir(exist_ok=True)
    (out / "conformance_online.json").write_text(json.dumps(outcomes, indent=2) + "\n")
    for name, (outcome, why) in outcomes.items():
        print(f"{outcome:<8} {name}  {why}".rstrip())
    counts = {kind: sum(o[0] == kind for o in outcomes.values()) for kind in _KINDS}
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 0


_KINDS = ("passed", "failed", "skipped")


def run_suites(tests: Path, url: str, report: Path, more: list[str]) -> None:
    """pytest in the checkout, our store configured, its outcome as JUnit XML in `report`."""
    paths = [str(tests.parent), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "FULL_REPO_CONFIGS_MODULE": "bench.conformance.stores",
        "FIELDHOUSE_CONFORMANCE_REDIS": url,
        "FEAST_IS_LOCAL_TEST": "True",
        "IS_TEST": "True",
        "FEAST_USAGE": "False",
    }
    command = [sys.executable, "-m", "pytest", "--integration", f"--junitxml={report}"]
    command += ["-n", "0", "-p", "no:randomly", "-q", "--tb=short"]
    command += ["-o", "addopts=", "-o", "filterwarnings="]
    suites = [str(tests / suite) for suite in SUITES if (tests / suite).is_file()]
    subprocess.run([*command, *suites, *more], cwd=tests.parent, env=environment, check=False)


def read_report(report: Path) -> dict[str, tuple[str, str]]:
    """(outcome, first line of why) by test."""
    found: dict[str, tuple[str, str]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        outcome, why = "passed", ""
        for child in case:
            if child.tag in ("failure", "error"):
                outcome, why = "failed", (child.get("message") or "").splitlines()[0][:160]
            elif child.tag == "skipped":
                outcome, why = "skipped", (child.get("message") or "")[:160]
        found[name] = (outcome, why)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
