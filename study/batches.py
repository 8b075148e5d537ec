"""Trainings in batches, one task run each: a server bears only so many task runs of one flow run."""

from collections.abc import Sequence

MOST_TASK_RUNS = 2000
"""Task runs for the trainings of one phase: 2,000 mapped tasks are known to strain a Prefect server."""

LEAST_SECONDS = 0.02
"""What a training counts for at least, when batches are made: reading a kept one took 16 ms
(`benchmarks/orchestration.py`, its task run included)."""


def pack(seconds: Sequence[float], most: int = MOST_TASK_RUNS) -> list[range]:
    """Pack trainings into batches that take about as long as each other; of one training each, if few.

    A batch ends where the sum of all up to it passes a multiple of an even share. So it is longer than that
    share by less than its last training; with the longest first, what is longer than a share is alone.

    Args:
        seconds: Of each training, in the order in which they are to begin.
        most: Batches at most.

    Returns:
        The places of each batch's trainings, in order.
    """
    if len(seconds) <= most:
        return [range(place, place + 1) for place in range(len(seconds))]
    counted = [max(each, LEAST_SECONDS) for each in seconds]
    share, before, starts, last = sum(counted) / most, 0.0, list[int](), -1
    for place, each in enumerate(counted):
        # The sum may be rounded to just beyond the last share.
        number = min(int(before / share), most - 1)
        if number != last:
            starts.append(place)
        last, before = number, before + each
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(seconds)], strict=True)]
