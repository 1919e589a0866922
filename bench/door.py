"""How long the command takes to say its help, beside Python alone and `import click`."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15
COMMAND = Path(sys.executable).parent / "fieldhouse"
CASES = {
    "python": [sys.executable, "-c", "pass"],
    "import click": [sys.executable, "-c", "import click"],
    "fieldhouse --help": [str(COMMAND), "--help"],
    "import feast": [sys.executable, "-W", "ignore", "-c", "import feast"],
}


def run() -> dict[str, float]:
    """The median milliseconds of each case."""
    return {name: round(_median_ms(command), 1) for name, command in CASES.items()}


def _median_ms(command: list[str]) -> float:
    times = []
    for _ in range(RUNS if "feast" not in command[-1] else 3):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)
