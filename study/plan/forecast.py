"""Forecast a plan's cost before it runs: epochs, seconds of each training, wall time on lanes, memory."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from study.plan.cost import CostModel, EngineCost
from study.plan.plan import Training, Trial
from study.records import TrainingRecord

if TYPE_CHECKING:
    from study.plan.predictor import Predictor

RUN_SECONDS = 10.0
"""A run without its trainings and its model: data, tables, figures, report. Measured on `lab`."""

MODEL_SECONDS = 25.0
"""To save a new model in four formats and load each again. Measured on `lab`."""

_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Job:
    """One training of a plan: how much of it is kept, and the cost of the rest."""

    training: Training
    kept: TrainingRecord | None
    """The record of earlier runs, as far as it can be continued."""
    epochs: int
    """Epochs to train, as expected; 0 if earlier runs have all."""
    seconds: float
    """Seconds of a lane, as expected."""
    spread: float
    """Standard deviation of the seconds."""
    threads: int = 1
    """Threads that share its work, if there are fewer trainings than lanes."""

    def on_threads(self, threads: int, speedup: float) -> "Job":
        """Return this job on this number of threads, faster by this factor."""
        return replace(self, seconds=self.seconds / speedup, spread=self.spread / speedup, threads=threads)

    @property
    def is_reused(self) -> bool:
        """Say whether earlier runs have everything that is needed."""
        return self.epochs == 0

    @property
    def kept_epochs(self) -> int:
        """Return the number of epochs that are not trained again."""
        return len(self.kept.epochs) if self.kept else 0

    @property
    def most_epochs(self) -> int:
        """Count the epochs to train if nothing stops early."""
        return 0 if self.is_reused else self.training.most_epochs - self.kept_epochs


@dataclass(frozen=True)
class FurtherTrainings:
    """Trainings that depend on the results of others: of the combination, the search, its finalists."""

    trainings: int
    seconds: tuple[float, ...] = ()
    """Seconds of each of its trainings, as expected."""
    spread: float = 0.0
    """Standard deviation of the time it takes."""
    training: Training | None = None
    """The first of its trainings, if earlier runs already decide it."""
    peak_bytes: int = 0
    """Memory of the largest possible one."""


@dataclass(frozen=True)
class SearchProgress:
    """The progress of a search in the kept results of earlier runs."""

    remaining: float
    """The remaining part of its budget, of 1."""
    finalists: tuple[Trial, ...] | None = None
    """The trials of its finalists, if it has ended."""


@dataclass(frozen=True)
class Forecast:
    """The cost of a plan on some lanes, all equally fast; jobs come in the order of training."""

    jobs: tuple[Job, ...]
    later: FurtherTrainings
    lanes: int
    common_spread: float
    rates: EngineCost
    search: FurtherTrainings = FurtherTrainings(0)
    """The trainings expected of the search for the optimum."""
    finals: FurtherTrainings = FurtherTrainings(0)
    """The search's finalists, with fresh seeds."""
    predictor: "Predictor | None" = None
    """What it was predicted from."""
    rest_seconds: float = RUN_SECONDS
    """Seconds besides the trainings and the start of the lanes."""

    @property
    def phases_to_come(self) -> tuple[FurtherTrainings, ...]:
        """List the trainings that depend on the results of others, by phase."""
        return self.search, self.later, self.finals

    @property
    def later_seconds(self) -> tuple[float, ...]:
        """List the seconds of each training that depends on the results of others."""
        return self.search.seconds + self.later.seconds + self.finals.seconds

    @cached_property
    def seconds(self) -> tuple[float, ...]:
        """List the seconds of each training still to be trained, in the order of training."""
        return tuple(job.seconds for job in self.jobs if not job.is_reused)

    @property
    def epochs_to_run(self) -> int:
        """Return the epochs to train, with the expected early stops."""
        return sum(job.epochs for job in self.jobs)

    @property
    def most_epochs(self) -> int:
        """Count the epochs to train if nothing stops early."""
        return sum(job.most_epochs for job in self.jobs)

    @property
    def reused(self) -> int:
        """Count the trainings that earlier runs have, as far as they are needed."""
        return sum(job.is_reused for job in self.jobs)

    @property
    def lane_seconds(self) -> float:
        """Return the seconds of all lanes together."""
        return sum(self.seconds) + sum(self.later_seconds)

    @property
    def makespan(self) -> float:
        """Return the seconds from the first training's start to the last one's end."""
        return self.makespan_on(self.lanes)

    @property
    def bound(self) -> float:
        """Return the least seconds that the trainings could take on these lanes."""
        return self.bound_on(self.lanes)

    def makespan_on(self, lanes: int) -> float:
        """Return the seconds of the trainings on this number of lanes, simulated."""
        return sum(simulate_makespan(phase, lanes) for phase in self._phases_on(lanes))

    def bound_on(self, lanes: int) -> float:
        """Return the least seconds that the trainings could take on this number of lanes."""
        return sum(makespan_bound(phase, lanes) for phase in self._phases_on(lanes))

    def _phases_on(self, lanes: int) -> list[list[float]]:
        """List the seconds of each training of the plan, the search and later phases, on some lanes."""
        phases = []
        for seconds in (self.seconds, self.search.seconds, self.later.seconds + self.finals.seconds):
            now, then = (
                self.rates.speedup(self.rates.threads_each(len(seconds), each))
                for each in (self.lanes, lanes)
            )
            phases.append([each * now / then for each in seconds])
        return phases

    @property
    def wall_seconds(self) -> float:
        """Return the seconds of the whole run."""
        return self.wall_seconds_on(self.lanes)

    def wall_seconds_on(self, lanes: int) -> float:
        """Return the seconds of the whole run on this number of lanes."""
        makespan = self.makespan_on(lanes)
        return self.rest_seconds + (self.rates.lanes_seconds + makespan if makespan else 0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """Return a 95% interval of the run's seconds.

        It covers three independent errors: one that all trainings share, a factor; those of single trainings,
        which average out over the lanes; and the choice of the values that will be combined or found.
        """
        total, rest = self.makespan, self.wall_seconds - self.makespan
        if total == 0:
            return rest / 2, rest * 2
        single = math.sqrt(sum(job.spread**2 for job in self.jobs)) / self.lanes
        own = _NORMAL_95 * math.hypot(single, self.later.spread, self.search.spread, self.finals.spread)
        low = math.hypot(total * (1 - math.exp(-_NORMAL_95 * self.common_spread)), own)
        high = math.hypot(total * (math.exp(_NORMAL_95 * self.common_spread) - 1), own)
        return rest + max(0.0, total - low), rest + total + high

    @property
    def peak_bytes(self) -> int:
        """Return the most memory of all lanes, if they train their largest trainings at the same time."""
        waiting = [job.training for job in self.jobs if not job.is_reused]
        costs = self.predictor.costs if self.predictor else CostModel()
        needed = sorted(
            (costs.peak_bytes(each.hyperparameters, each.source.engine) for each in waiting),
            reverse=True,
        )
        later = [
            min(self.lanes, len(each.seconds)) * each.peak_bytes
            for each in (self.later, self.search, self.finals)
        ]
        return max(sum(needed[: self.lanes]), *later)


def simulate_makespan(seconds: Sequence[float], lanes: int) -> float:
    """Return the seconds until all trainings are done if each free lane takes the next of the list.

    With the longest first this is at most 4/3 - 1/(3 lanes) of the best possible (Graham 1969, "Bounds on
    Multiprocessing Timing Anomalies").
    """
    free_at = [0.0] * min(lanes, len(seconds))
    for each in seconds:
        heapq.heapreplace(free_at, free_at[0] + each)
    return max(free_at, default=0.0)


def makespan_bound(seconds: Sequence[float], lanes: int) -> float:
    """Return the least seconds of any order: an even share for each lane, or the longest training."""
    return max(sum(seconds) / lanes, max(seconds, default=0.0))
