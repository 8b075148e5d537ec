"""What both benchmarks need around them: the others' environment, an end that leaves nothing running."""

import os
import signal
import sys
from collections.abc import Callable

from benchmarks.comparison.contestants import BENCH_PYTHON


def run_session(body: Callable[[], int]) -> int:
    """Run a benchmark and return its exit code; 2 without what it needs, 130 if it was interrupted."""
    if not BENCH_PYTHON.exists():
        print(f"{BENCH_PYTHON} is missing; run `make bench-setup`", file=sys.stderr)
        return 2
    os.environ.pop("PREFECT_API_URL", None)  # this user's server has no part in it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended, and folders removed
    try:
        return body()
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return 130
