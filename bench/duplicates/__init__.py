"""The examination of duplicate detection, through `fieldhouse check` itself.

`python -m bench duplicates`; what it does is told in `docs/duplicates.md`. Variables: `BENCH_SHARE`
(0.1: a tenth of each family), `BENCH_FOLDER` (where to play; kept between runs, so that what
queries gave is not computed again), `BENCH_MINUTES` (begin no further batch after so many) and
`BENCH_RESUME` (any text: keep the answers that there are), `BENCH_PROCESSES` (checks at a time;
as many as cores), `BENCH_VERIEQL` and `BENCH_SQLSOLVER` (see `public.py`).
"""

import os
from typing import Any


def run() -> dict[str, Any]:
    """All that is asked of the examination, as JSON-able facts; pictures go to bench/out."""
    from bench.duplicates.examination import run_examination

    return run_examination(os.environ)
