"""What a plan will cost before it runs: epochs to train, seconds of each training, wall time, memory."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from statistics import fmean, pstdev

from study.cost import Amount, CostModel, EngineCost, Shape, peak_bytes
from study.makespan import makespan_bound, simulate_makespan
from study.plan import Plan, Training, Trial, candidate_trials, compile_plan
from study.search import Search, expected_epochs, rungs_to
from study.setting import Setting
from study.spec import Study
from study.stopping import StopRule
from study.training_record import TrainingRecord

RUN_SECONDS = 20.0
"""A run beside its trainings: data, tables, figures, model, report. Measured on `lab`."""

STOP_AFTER_PATIENCE, STOP_SPREAD = 8.4, 3.1
"""Where nothing was recorded: mean number of epochs that a training with early stopping runs beyond its
patience, and the standard deviation. Measured on `lab`: 21 trainings with dropout and patience 3
stopped after 11.4 epochs."""

_NORMAL_95 = 1.96
_COMBINATIONS = 256
"""Combinations of swept values that are drawn to foresee the cost of the one that will be trained."""


@dataclass(frozen=True)
class Job:
    """One training of a plan: how much of it is kept, and what the rest will cost."""

    training: Training
    kept: TrainingRecord | None
    """What earlier runs have of it, as far as it can be gone on from."""
    epochs: int
    """Epochs to train, as expected; 0 if earlier runs have all."""
    seconds: float
    """Seconds of a lane, as expected."""
    spread: float
    """Standard deviation of the seconds."""
    threads: int = 1
    """Threads that share its work, where there are fewer trainings than lanes."""

    def on_threads(self, threads: int, speedup: float) -> "Job":
        """This job, so many times faster on so many threads."""
        return replace(self, seconds=self.seconds / speedup, spread=self.spread / speedup, threads=threads)

    @property
    def is_reused(self) -> bool:
        """Whether earlier runs have all that is needed."""
        return self.epochs == 0

    @property
    def kept_epochs(self) -> int:
        """Epochs that are not trained again."""
        return len(self.kept.epochs) if self.kept else 0

    @property
    def most_epochs(self) -> int:
        """Epochs to train if nothing stops early."""
        return 0 if self.is_reused else self.training.most_epochs - self.kept_epochs


@dataclass(frozen=True)
class Later:
    """The combination of best values, which is known only when the sweeps are done."""

    trainings: int
    seconds: tuple[float, ...] = ()
    """Seconds of each of its trainings, as expected."""
    spread: float = 0.0
    """Standard deviation of the time it takes."""
    training: Training | None = None
    """The first of its trainings, where earlier runs already tell which it is."""


@dataclass(frozen=True)
class SearchStanding:
    """How far a search has come by what earlier runs have kept."""

    remaining: float
    """The part of its budget that is left, of 1."""
    finalists: tuple[Trial, ...] | None = None
    """The trials of its finalists, where it has come to its end."""


@dataclass(frozen=True)
class Forecast:
    """What a plan will cost on some lanes; jobs come longest first."""

    jobs: tuple[Job, ...]
    later: Later
    lanes: int
    common_spread: float
    rates: EngineCost
    search: Later = Later(0)
    """What the search for the optimum is expected to train."""
    finals: Later = Later(0)
    """The search's finalists, with fresh seeds."""

    @property
    def later_seconds(self) -> tuple[float, ...]:
        """Seconds of each training that only the others' results tell."""
        return self.search.seconds + self.later.seconds + self.finals.seconds

    @cached_property
    def seconds(self) -> tuple[float, ...]:
        """Seconds of each training that is to be trained, longest first."""
        return tuple(job.seconds for job in self.jobs if not job.is_reused)

    @property
    def epochs_to_run(self) -> int:
        """Epochs to train, with the early stops that are expected."""
        return sum(job.epochs for job in self.jobs)

    @property
    def most_epochs(self) -> int:
        """Epochs to train if nothing stops early."""
        return sum(job.most_epochs for job in self.jobs)

    @property
    def reused(self) -> int:
        """Trainings that earlier runs have, as far as they are needed."""
        return sum(job.is_reused for job in self.jobs)

    @property
    def lane_seconds(self) -> float:
        """Seconds of all lanes together."""
        return sum(self.seconds) + sum(self.later_seconds)

    @property
    def makespan(self) -> float:
        """Seconds from the first training's start to the last one's end."""
        return self.makespan_on(self.lanes)

    @property
    def bound(self) -> float:
        """Seconds that the trainings cannot go below on these lanes."""
        return self.bound_on(self.lanes)

    def makespan_on(self, lanes: int) -> float:
        """Seconds the trainings would take on so many lanes, simulated."""
        return sum(simulate_makespan(phase, lanes) for phase in self._phases_on(lanes))

    def bound_on(self, lanes: int) -> float:
        """The least that the trainings could take on so many lanes."""
        return sum(makespan_bound(phase, lanes) for phase in self._phases_on(lanes))

    def _phases_on(self, lanes: int) -> list[list[float]]:
        """Seconds of each training of the plan, the search and what they lead to, on so many lanes."""
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
        """Seconds of the whole run."""
        return self.wall_seconds_on(self.lanes)

    def wall_seconds_on(self, lanes: int) -> float:
        """Seconds of the whole run on so many lanes."""
        makespan = self.makespan_on(lanes)
        return RUN_SECONDS + (self.rates.lanes_seconds + makespan if makespan else 0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """A 95% interval of the run's seconds.

        Three independent errors: one that all trainings share, a factor; those of single trainings, which
        average out over the lanes; and which values will be combined or found.
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
        """Memory of all lanes at most, if each meets the largest of its trainings at once."""
        needed = sorted((_peak_bytes(job.training) for job in self.jobs if not job.is_reused), reverse=True)
        return sum(needed[: self.lanes])


@dataclass(frozen=True)
class Foresight:
    """What a forecast draws on."""

    kept: Mapping[str, TrainingRecord]
    """Trainings that need not be trained again, by key."""
    history: Mapping[str, TrainingRecord]
    """Trainings that tell when early stopping ends one; of earlier runs, kept or not."""
    costs: CostModel
    amount: Amount
    search: SearchStanding | None = None
    """How far earlier runs have come with the search; None where there is none, or nothing is known."""

    def forecast(self, study: Study, plan: Plan, lanes: int, combination: Setting | None = None) -> Forecast:
        """Predict a plan's cost.

        Args:
            study: The study the plan belongs to.
            plan: What is asked.
            lanes: How many trainings run at once.
            combination: The combination of best values, where earlier runs already tell it.
        """
        later = self._foresee_combination(study, plan, combination, lanes)
        search, finals = self._foresee_search(study, plan, lanes)
        jobs = tuple(self.foresee_all(plan, lanes))
        return Forecast(jobs, later, lanes, self.costs.common_spread, self.costs.rates, search, finals)

    def foresee_all(self, plan: Plan, lanes: int) -> list[Job]:
        """Predict the trainings of a plan, longest first."""
        jobs = [self.foresee(training) for training in plan.trainings]
        rates, waiting = self.costs.rates, sum(not job.is_reused for job in jobs)
        threads = rates.threads_each(waiting, lanes)
        spread_out = [job.on_threads(threads, rates.speedup(threads)) for job in jobs]
        return sorted(spread_out, key=lambda job: -job.seconds)

    def foresee(self, training: Training) -> Job:
        """Predict one training."""
        kept = self.kept.get(training.key)
        if kept is not None and kept.answers(training.rules):
            return Job(training, kept, 0, 0.0, 0.0)
        done = len(kept.epochs) if kept else 0
        stops = [self._expect_stop(training, rule) for rule in training.rules]
        mean, spread = max(stops)
        epochs = max(1.0, mean - done)
        each = self.costs.epoch_seconds(training.hyperparameters, self.amount)
        own = self.costs.spread(training.hyperparameters) * epochs * each
        return Job(
            training,
            kept,
            round(epochs),
            self.costs.rates.startup_seconds + epochs * each,
            math.hypot(own, spread * each),
        )

    def _expect_stop(self, training: Training, rule: StopRule) -> tuple[float, float]:
        """Mean and standard deviation of the epoch at which a trial ends."""
        if rule.patience is None:
            return rule.epochs, 0.0
        alike = [record for record in self.history.values() if record.source == training.source]
        same = [each for each in alike if each.hyperparameters == training.hyperparameters]
        shape = Shape.of(training.hyperparameters)
        for records in (same, [each for each in alike if Shape.of(each.hyperparameters) == shape]):
            stops = [stop for each in records if (stop := rule.epochs_read(each.validation_losses))]
            # Where most ended before patience could run out, those that did are the hasty ones.
            if 2 * len(stops) > len(records):
                return fmean(stops), pstdev(stops) if len(stops) > 1 else STOP_SPREAD
        return min(rule.epochs, rule.patience + STOP_AFTER_PATIENCE), STOP_SPREAD

    def _foresee_combination(self, study: Study, plan: Plan, known: Setting | None, lanes: int) -> Later:
        if study.optimum is None or not study.combined_sweeps:
            return Later(0)
        repeats = study.optimum.repeats
        if known is not None:
            further = compile_plan(study, candidate_trials(study, "combination", known), plan.source)
            jobs = self.foresee_all(further, lanes)
            seconds = tuple(job.seconds for job in jobs if not job.is_reused)
            return Later(repeats, seconds, math.hypot(*(job.spread for job in jobs)), further.trainings[0])
        costs = [
            self.costs.epoch_seconds(each.hyperparameters, self.amount) * each.epochs
            for each in draw_combinations(study)
        ]
        rates = self.costs.rates
        speedup = rates.speedup(rates.threads_each(repeats, lanes))
        mean = (rates.startup_seconds + fmean(costs)) / speedup
        return Later(repeats, (mean,) * repeats, pstdev(costs) / speedup)

    def _foresee_search(self, study: Study, plan: Plan, lanes: int) -> tuple[Later, Later]:
        """The trainings of the search and of its finalists; of neither anything is known but the ranges."""
        if study.optimum is None or study.optimum.search is None:
            return Later(0), Later(0)
        standing = self.search or SearchStanding(remaining=1.0)
        if standing.finalists is not None:
            further = compile_plan(study, standing.finalists, plan.source)
            jobs = self.foresee_all(further, lanes)
            seconds = tuple(job.seconds for job in jobs if not job.is_reused)
            return Later(0), Later(len(jobs), seconds, math.hypot(*(job.spread for job in jobs)))
        costs = self._draw_costs(study, study.optimum.search)
        mean, spread = fmean(costs), pstdev(costs)
        whole = study.optimum.search.budgets(study.baseline)[-1]
        share = expected_epochs(rungs_to(whole)) / whole
        begun = _trainings_of(study.optimum.search, mean * share) * standing.remaining
        count = math.ceil(begun)
        search = Later(
            count, (begun * mean * share / max(count, 1),) * count, spread * share * begun**0.5 / lanes
        )
        repeats, names = study.optimum.repeats, study.optimum.search.finalists
        finals = Later(repeats * names, (mean,) * (repeats * names), spread * repeats * names**0.5 / lanes)
        return search, finals

    def _draw_costs(self, study: Study, search: Search) -> list[float]:
        """Seconds of whole trainings of some of the settings that a search could come upon."""
        random = Random(0)
        drawn = [search.draw(study.baseline, random) for _ in range(_COMBINATIONS)]
        startup = self.costs.rates.startup_seconds
        return [
            startup + self.costs.epoch_seconds(each.hyperparameters, self.amount) * each.epochs
            for each in drawn
        ]


def _trainings_of(search: Search, seconds: float) -> float:
    """The trainings that a search's budget allows, if each takes so many seconds."""
    return float(search.trainings or 60 * (search.minutes or 0) / seconds)


def _peak_bytes(training: Training) -> int:
    return peak_bytes(training.hyperparameters, training.source.engine)


def draw_combinations(study: Study) -> list[Setting]:
    """Some of the combinations of swept values that could turn out best, each as likely; always the same."""
    sweeps = study.combined_sweeps
    random = Random(0)
    return [
        study.baseline.with_changes({sweep.parameter: random.choice(sweep.values) for sweep in sweeps})
        for _ in range(_COMBINATIONS)
    ]
