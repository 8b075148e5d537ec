"""Send each message between scheduler, lanes and client at once, whatever the wall clock does."""

import math

from distributed.batched import BatchedSend


def send_at_once() -> None:
    """Let no message of Dask's in this process wait for others to be sent with.

    Dask holds messages back for 2 to 10 ms, until a time it takes from the wall clock: where that is set back
    by two hours in between, they wait for two hours (seen: a scheduler that told nobody of any end).
    Nor are ours so many that several would ever go together.
    """
    # By Dask's own settings it cannot be had: the intervals are constants where the streams are made.
    BatchedSend.interval = property(lambda _: -math.inf, lambda *_: None)
