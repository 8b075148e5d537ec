"""A study scaled to very many trials on very many lanes: how long it takes, what it asks of each part."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from study.batches import MOST_TASK_RUNS, pack
from study.load import Part, Serving
from study.scale import FULL, Breaking, ScaledRun, find_first_full, simulate


@dataclass(frozen=True)
class Asked:
    """What one part would be asked if every lane trained all the time."""

    part: Part
    each_second: float
    """Trainings, task runs or places, as the part counts."""
    bears: float
    """As many as it bears; infinite for what costs nothing."""

    @property
    def share(self) -> float:
        """The part of what it bears, of 1."""
        return self.each_second / self.bears


@dataclass(frozen=True)
class ScaledPlan:
    """A study's trainings, repeated in proportion until they answer so many trials, on so many lanes."""

    seconds: tuple[float, ...]
    """Of each of the study's own trainings, longest first."""
    trainings: int
    lanes: int
    serving: Serving

    @cached_property
    def units(self) -> list[list[float]]:
        """Seconds of each training of each task run, batched as a run does it."""
        every = repeat_in_proportion(self.seconds, self.trainings)
        return [every[batch.start : batch.stop] for batch in pack(every, MOST_TASK_RUNS)]

    @cached_property
    def run(self) -> ScaledRun:
        """The run, simulated."""
        return simulate(self.units, self.lanes, self.serving)

    @property
    def mean_seconds(self) -> float:
        """Seconds of a training, on average."""
        return self.run.lane_seconds / self.trainings

    @property
    def each_unit(self) -> float:
        """Trainings of a task run, on average."""
        return self.trainings / len(self.units)

    @cached_property
    def first_full(self) -> Breaking | None:
        """What is full first as lanes grow."""
        return find_first_full(self.mean_seconds, self.serving, self.each_unit)

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """What is asked of each part that serves the lanes if all of them train all the time."""
        serving, lanes = self.serving.amortised(self.each_unit), self.lanes
        rate = lanes / self.mean_seconds
        free = 1.0 - serving.heartbeat_share(lanes)
        return (
            Asked(Part.FLOW, rate, _per_second(serving.training_seconds)),
            Asked(Part.PLACES, float(lanes + serving.spare), serving.places or math.inf),
            Asked(Part.SCHEDULER, rate, free * _per_second(serving.scheduler_seconds)),
            Asked(Part.STORE, rate, _per_second(serving.store_seconds)),
            Asked(Part.SERVER, rate / self.each_unit, _per_second(self.serving.server_seconds)),
        )

    @property
    def flows(self) -> int:
        """Flows, each with a scheduler and an even share of the lanes, that would keep them all busy."""
        own = (each.share for each in self.asked if each.part in (Part.FLOW, Part.PLACES, Part.SCHEDULER))
        return max(1, math.ceil(max(own) / FULL))

    @cached_property
    def split(self) -> ScaledRun:
        """One of so many flows, simulated with its share of trainings and lanes."""
        trainings, lanes = math.ceil(self.trainings / self.flows), math.ceil(self.lanes / self.flows)
        return ScaledPlan(self.seconds, trainings, lanes, self.serving).run


def repeat_in_proportion(seconds: Sequence[float], count: int) -> list[float]:
    """Repeat each value until there are so many in all, each as often as any other, in their order."""
    ends = [round(place * count / len(seconds)) for place in range(len(seconds) + 1)]
    return [
        each for each, (start, end) in zip(seconds, pairwise(ends), strict=True) for _ in range(end - start)
    ]


def _per_second(seconds: float) -> float:
    return 1.0 / seconds if seconds else math.inf
