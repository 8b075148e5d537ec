"""How long lanes take for a list of trainings: simulated, and the least that any order could reach."""

import heapq
from collections.abc import Sequence


def simulate_makespan(seconds: Sequence[float], lanes: int | Sequence[float]) -> float:
    """Seconds until all is done if each lane that is free, the fastest first, takes the next of the list.

    Args:
        seconds: Of each training, on a lane of pace 1.
        lanes: How many, all of pace 1; or the pace of each.

    With the longest first this is at most 4/3 - 1/(3 lanes) of the best possible (Graham 1969, "Bounds on
    Multiprocessing Timing Anomalies").
    """
    paces = _paces(lanes, len(seconds))
    free_at = [(0.0, -pace) for pace in paces]
    heapq.heapify(free_at)
    ends = 0.0
    for each in seconds:
        at, slowness = free_at[0]
        end = at - each / slowness
        ends = max(ends, end)
        heapq.heapreplace(free_at, (end, slowness))
    return ends


def makespan_bound(seconds: Sequence[float], lanes: int | Sequence[float]) -> float:
    """Seconds that no order can go below: an even share for each lane, and the longest on the fastest."""
    if not seconds:
        return 0.0
    paces = _paces(lanes)
    return max(sum(seconds) / sum(paces), max(seconds) / max(paces))


def _paces(lanes: int | Sequence[float], most: int | None = None) -> list[float]:
    """The paces of lanes, fastest first; no more of them than can be used."""
    if isinstance(lanes, int):
        return [1.0] * (lanes if most is None else min(lanes, most))
    return sorted(lanes, reverse=True)[:most]
