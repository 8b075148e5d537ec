"""Answer a question of `docs/reading.md` in this process and print what it took, as JSON.

`benchmarks.readers` starts it, once for each question and way, in the folder in which `results` lies.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.gallery import answer, list_questions, set_up

TIMES = 5
"""How often a question is asked again."""


def measure(number: int, way: str, layout: str) -> dict[str, float]:
    """Seconds for the set-up, the first answer and a later one (median); peak memory in MB; rows.

    Args:
        number: The question's, from 1.
        way: One of `tests.gallery.ENGINES`.
        layout: `history` or `tables`.
    """
    section = list_questions(layout)[number - 1]
    start, names = _timed(lambda: set_up(way, layout))
    first, (_, rows) = _timed(lambda: answer(section, way, names))
    again = statistics.median(_timed(lambda: answer(section, way, names))[0] for _ in range(TIMES))
    return {"start": start, "first": first, "again": again, "megabytes": _peak(), "rows": len(rows)}


def _timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = ask()
    return time.perf_counter() - begun, found


def _peak() -> float:
    """The most memory this process has held, MB; Linux only: `ru_maxrss` would count its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), *sys.argv[2:])))
