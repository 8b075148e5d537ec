"""How long lanes take for a list of trainings: simulated, and the least that any order could reach."""

import heapq
from collections.abc import Sequence


def simulate_makespan(seconds: Sequence[float], lanes: int | Sequence[float]) -> float:
    """Seconds until all is done if each lane that is free, the fastest first, takes the next of the list.

    With lanes that are alike and the longest first this is at most 4/3 - 1/(3 lanes) of the best possible
    (Graham 1969, "Bounds on Multiprocessing Timing Anomalies"). Where they are not, a fast lane that has
    nothing left to do tries what a slow one is at, if it would be done before it.

    Args:
        seconds: Of each training, on a lane of pace 1.
        lanes: How many, all of pace 1; or the pace of each.
    """
    paces = _paces(lanes, len(seconds))
    # When each lane is free, the fastest first, and what it is at by then: its seconds at pace 1.
    free_at = [(0.0, -pace, 0.0) for pace in paces]
    heapq.heapify(free_at)
    for each in seconds:
        at, slowness, _ = free_at[0]
        heapq.heapreplace(free_at, (at - each / slowness, slowness, each))
    if len(set(paces)) > 1:
        return _help_out(free_at)
    return max((at for at, _, _ in free_at), default=0.0)


def _help_out(free_at: list[tuple[float, float, float]]) -> float:
    """When all is done if who is done helps the one that would be last, as long as that pays."""
    while True:
        end, slowness, seconds = max(free_at)
        helped, helper = min((at - seconds / pace, (at, pace, each)) for at, pace, each in free_at)
        if helped >= end:
            return end
        free_at.remove((end, slowness, seconds))  # its lane is stopped, and done with
        free_at.remove(helper)
        free_at.append((helped, helper[1], 0.0))


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
