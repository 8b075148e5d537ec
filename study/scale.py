"""A run of very many trainings, simulated through what serves them: what is full first as lanes grow.

Each unit (a task run: one training, or a batch of them, one after the other) has a place in flight. For each
of its trainings the flow's process looks it up, a free lane takes it, the scheduler hands it out, the lane
trains, the flow's process takes the result and frees the lane, and the store keeps it.
"""

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from study.load import Part, Serving
from study.makespan import makespan_bound

FULL = 0.9
"""A part that is busy for this part of the time is full: more lanes would hardly be served."""

_ROUNDS = 20
"""Trainings a lane in the search for what is full first: how it begins and ends matters little."""


@dataclass(frozen=True)
class ScaledRun:
    """What became of a simulated run."""

    lanes: int
    trainings: int
    units: int
    lane_seconds: float
    """Seconds of all trainings together."""
    makespan: float
    """Seconds from the first unit's start to the last one's end."""
    bound: float
    """Seconds that no order could go below, if lanes were all that is needed."""
    busy: dict[Part, float]
    """The part of the time that each part was busy, of 1; above 1 for what came to it late."""

    @property
    def efficiency(self) -> float:
        """The part of the lanes' time in which they trained, of 1."""
        return self.busy[Part.LANES]

    @property
    def fullest(self) -> Part:
        """What serves the lanes and was busy for most of the time."""
        return max((part for part in self.busy if part is not Part.LANES), key=lambda part: self.busy[part])


@dataclass(frozen=True)
class Breaking:
    """What is full first as lanes grow."""

    part: Part
    lanes: int
    """The fewest lanes at which it is, as nearly as they were looked for: 1%."""


def simulate(units: Sequence[Sequence[float]], lanes: int, serving: Serving) -> ScaledRun:
    """Simulate a run.

    Args:
        units: Seconds of each training of each task run, in the order in which they are started.
        lanes: How many lanes train.
        serving: What serves them costs and bears.
    """
    makespan, occupied = _play(units, lanes, serving)
    every = list(chain.from_iterable(units))
    trainings = len(every)
    spent = {
        Part.LANES: sum(every) / lanes,
        Part.FLOW: trainings * serving.training_seconds + len(units) * serving.task_run_seconds,
        Part.PLACES: 0.0 if serving.places is None else occupied / serving.places,
        Part.SCHEDULER: trainings * serving.scheduler_seconds + makespan * serving.heartbeat_share(lanes),
        Part.STORE: trainings * serving.store_seconds,
        Part.SERVER: len(units) * serving.server_seconds,
    }
    busy = {part: each / makespan if makespan else 0.0 for part, each in spent.items()}
    return ScaledRun(lanes, trainings, len(units), sum(every), makespan, makespan_bound(every, lanes), busy)


def find_first_full(
    seconds: float, serving: Serving, each_unit: float = 1.0, most: int = 10_000
) -> Breaking | None:
    """Find what is full first as lanes grow, by simulating more and more of them; None if nothing is.

    Args:
        seconds: What a training takes, on average.
        serving: What serves them costs and bears.
        each_unit: Trainings of a task run, on average.
        most: Lanes that are looked at, at most.
    """
    amortised = serving.amortised(each_unit)

    def full(lanes: int) -> Part | None:
        run = simulate([(seconds,)] * (_ROUNDS * lanes), lanes, amortised)
        return run.fullest if run.busy[run.fullest] >= FULL else None

    low, high = 0, 1
    while full(high) is None:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if full(middle) is None else (low, middle)
    part = full(high)
    return None if part is None else Breaking(part, high)


_BEGIN, _READY, _TRAINED, _FREED = range(4)
"""What happens at a place: it goes on to a training; has looked it up; a lane has trained it; and is free."""


def _play(units: Sequence[Sequence[float]], lanes: int, serving: Serving) -> tuple[float, float]:
    """Let it happen, event by event; return when all is done, and for how long places were taken, summed."""
    held = serving.lane_share * serving.training_seconds
    before, scheduling = serving.training_seconds - held, serving.scheduler_seconds_on(lanes)
    places = min(serving.places_on(lanes), len(units))
    events = [(0.0, place, _BEGIN) for place in range(places)]
    coming = iter(units)
    left: list[Iterator[float]] = [iter(())] * places
    training = [0.0] * places
    waiting: deque[int] = deque()
    flow = scheduler = store = end = occupied = 0.0  # until when each is busy
    while events:
        now, place, what = heapq.heappop(events)
        if what == _BEGIN:
            seconds, asked = next(left[place], None), before
            while seconds is None and (unit := next(coming, None)) is not None:
                left[place] = iter(unit)
                seconds, asked = next(left[place], None), before + serving.task_run_seconds
            if seconds is None:
                end, occupied = max(end, now), occupied + now
                continue
            training[place] = seconds
            flow = max(flow, now) + asked
            heapq.heappush(events, (flow, place, _READY))
        elif what == _TRAINED:
            flow = max(flow, now) + held
            heapq.heappush(events, (flow, place, _FREED))
        else:
            if what == _READY:
                waiting.append(place)
            else:
                lanes += 1
                store = max(store, now) + serving.store_seconds
                heapq.heappush(events, (store + serving.write_wait_seconds, place, _BEGIN))
            if lanes and waiting:
                lanes, other = lanes - 1, waiting.popleft()
                scheduler = max(scheduler, now) + scheduling
                heapq.heappush(events, (scheduler + training[other], other, _TRAINED))
    return end, occupied
