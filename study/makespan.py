"""How long lanes take for a list of trainings: simulated, and the least that any order could reach."""

import heapq
from collections.abc import Sequence


def simulate_makespan(seconds: Sequence[float], lanes: int) -> float:
    """Seconds until all is done if each free lane takes the next of the list.

    With the longest first this is at most 4/3 - 1/(3 lanes) of the best possible (Graham 1969, "Bounds on
    Multiprocessing Timing Anomalies").
    """
    free_at = [0.0] * min(lanes, len(seconds))
    for each in seconds:
        heapq.heapreplace(free_at, free_at[0] + each)
    return max(free_at, default=0.0)


def makespan_bound(seconds: Sequence[float], lanes: int) -> float:
    """Seconds that no order can go below: an even share for each lane, and the longest by itself."""
    return max(sum(seconds) / lanes, max(seconds, default=0.0))
