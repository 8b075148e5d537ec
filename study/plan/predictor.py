"""Predict how long each training of a plan takes, and how much later phases will add."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean, pstdev
from types import MappingProxyType

from study.plan.cost import Amount, CostModel, Shape, peak_bytes
from study.plan.forecast import MODEL_SECONDS, RUN_SECONDS, Forecast, FurtherTrainings, Job, SearchProgress
from study.plan.plan import Plan, Training, combination_trials, compile_plan, key_of
from study.records import Source, StopRule, TrainingRecord
from study.spec import (
    Cell,
    PublishedAverage,
    Search,
    Setting,
    Study,
    SweepExercise,
    expected_epochs,
    read_averages,
    rungs_to,
)

STOP_AFTER_PATIENCE, STOP_SPREAD = 8.4, 3.1
"""Used without records: mean number of epochs that a training with early stopping runs beyond its
patience, and the standard deviation. Measured on `lab`: 21 trainings with dropout and patience 3
stopped after 11.4 epochs."""

NEARLY_BEST = 0.01
"""How far below the best published average a value may turn out to be the best of ours: the published
averages of `lab` differ from ours by about that."""

_COMBINATIONS = 256
"""The number of combinations of swept values drawn to predict the cost of the one that will be trained."""


Best = Mapping[str, float]
"""The best values of the sweeps that are decided, by parameter."""


@dataclass(frozen=True)
class Predictor:
    """The basis of a forecast."""

    kept: Mapping[str, TrainingRecord]
    """Trainings that need not be trained again, by key."""
    history: Mapping[str, TrainingRecord]
    """Trainings that show when early stopping ends one; of earlier runs, kept or not."""
    costs: CostModel
    amount: Amount
    search: SearchProgress | None = None
    """The progress of earlier runs with the search; None if there is none, or nothing is known."""

    def forecast(self, study: Study, plan: Plan, lanes: int, best: Best = MappingProxyType({})) -> Forecast:
        """Predict a plan's cost, given the best values of the sweeps that are already decided."""
        later = self.predict_combination(study, plan.source, best, lanes)
        search, finals = self._predict_search(study, plan, lanes)
        jobs = tuple(self.predict_trainings(plan, lanes))
        common, rates = self.costs.common_spread, self.costs.rates
        found = Forecast(jobs, later, lanes, common, rates, search, finals, predictor=self)
        has_new_model = study.model is not None and found.lane_seconds > 0
        return replace(found, rest_seconds=RUN_SECONDS + MODEL_SECONDS * has_new_model)

    def predict_trainings(self, plan: Plan, lanes: int) -> list[Job]:
        """Predict the trainings of a plan: those of first repeats, then the others, each longest first.

        So the combination of best values, and with it the time it will take, shows early.
        """
        jobs = [self.predict(training) for training in plan.trainings]
        rates, waiting = self.costs.rates, sum(not job.is_reused for job in jobs)
        threads = rates.threads_each(waiting, lanes)
        spread_out = [job.on_threads(threads, rates.speedup(threads)) for job in jobs]
        first = {key_of(trial, plan.source) for trial in plan.trials if trial.repeat == 1}
        return sorted(spread_out, key=lambda job: (job.training.key not in first, -job.seconds))

    def predict(self, training: Training) -> Job:
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
        """Return mean and standard deviation of the epoch at which a trial ends."""
        if rule.patience is None:
            return rule.epochs, 0.0
        alike = [record for record in self.history.values() if record.source == training.source]
        same = [each for each in alike if each.hyperparameters == training.hyperparameters]
        shape = Shape.of(training.hyperparameters)
        for records in (same, [each for each in alike if Shape.of(each.hyperparameters) == shape]):
            stops = [stop for each in records if (stop := rule.epochs_read(each.validation_losses))]
            # If most ended before patience could run out, those that did run out of it are the hasty ones.
            if 2 * len(stops) > len(records):
                return fmean(stops), pstdev(stops) if len(stops) > 1 else STOP_SPREAD
        return min(rule.epochs, rule.patience + STOP_AFTER_PATIENCE), STOP_SPREAD

    def predict_combination(self, study: Study, source: Source, best: Best, lanes: int) -> FurtherTrainings:
        """Predict the trainings of the combination of best values, as far as known, and its variants."""
        if study.optimum is None or not study.combined_sweeps:
            return FurtherTrainings(0)
        repeats = study.optimum.repeats * len(study.optimum.combinations)
        if len(best) == len(study.combined_sweeps):
            combination = study.baseline.with_changes(best)
            further = compile_plan(study, combination_trials(study, combination), source)
            return replace(self._predict_known(further, lanes), training=further.trainings[0])
        drawn = draw_combinations(study, best)
        costs = [self.costs.epoch_seconds(each.hyperparameters, self.amount) * each.epochs for each in drawn]
        rates = self.costs.rates
        speedup = rates.speedup(rates.threads_each(repeats, lanes))
        mean = (rates.startup_seconds + fmean(costs)) / speedup
        peak = _most_bytes(drawn, source)
        return FurtherTrainings(repeats, (mean,) * repeats, pstdev(costs) / speedup, peak_bytes=peak)

    def _predict_search(
        self, study: Study, plan: Plan, lanes: int
    ) -> tuple[FurtherTrainings, FurtherTrainings]:
        """Predict the trainings of the search and of its finalists, of which only the ranges are known."""
        optimum, asked = study.optimum, study.optimum.search if study.optimum else None
        if optimum is None or asked is None:
            return FurtherTrainings(0), FurtherTrainings(0)
        standing = self.search or SearchProgress(remaining=1.0)
        if standing.finalists is not None:
            further = compile_plan(study, standing.finalists, plan.source)
            return FurtherTrainings(0), self._predict_known(further, lanes)
        drawn, startup = _draw_candidates(study, asked), self.costs.rates.startup_seconds
        costs = [
            startup + self.costs.epoch_seconds(each.hyperparameters, self.amount) * each.epochs
            for each in drawn
        ]
        mean, spread, peak = fmean(costs), pstdev(costs), _most_bytes(drawn, plan.source)
        whole = asked.budgets(study.baseline)[-1]
        share = expected_epochs(rungs_to(whole)) / whole
        allowed = asked.trainings or 60 * (asked.minutes or 0) / (mean * share)
        begun = allowed * standing.remaining
        count = math.ceil(begun)
        each = begun * mean * share / max(count, 1)
        search = FurtherTrainings(
            count, (each,) * count, spread * share * begun**0.5 / lanes, peak_bytes=peak
        )
        repeats, names = optimum.repeats, asked.finalists
        seconds = (mean,) * (repeats * names)
        finals = FurtherTrainings(
            len(seconds), seconds, spread * repeats * names**0.5 / lanes, peak_bytes=peak
        )
        return search, finals

    def _predict_known(self, further: Plan, lanes: int) -> FurtherTrainings:
        """Predict later trainings that earlier runs already decide."""
        jobs = self.predict_trainings(further, lanes)
        seconds = tuple(job.seconds for job in jobs if not job.is_reused)
        return FurtherTrainings(len(jobs), seconds, math.hypot(*(job.spread for job in jobs)))


def _draw_candidates(study: Study, search: Search) -> list[Setting]:
    """Draw some settings that a search could find, each equally likely; always the same."""
    random = Random(0)
    return [search.draw(study.baseline, random) for _ in range(_COMBINATIONS)]


def _most_bytes(drawn: Sequence[Setting], source: Source) -> int:
    """Return the memory of the largest of some settings."""
    return max(peak_bytes(each.hyperparameters, source.engine) for each in drawn)


def draw_combinations(study: Study, best: Best) -> list[Setting]:
    """Draw some combinations of swept values that could be best, and their variants; always the same.

    Where the best is not known, each value is equally likely or, where all are published, each that is
    published as nearly the best.
    """
    assert study.optimum is not None
    averages = read_averages(study.published)
    likely = {sweep.parameter: _likely_values(sweep, averages) for sweep in study.combined_sweeps}
    random, variants = Random(0), list(study.optimum.combinations.values())
    return [
        study.baseline.with_changes(
            {name: random.choice(values) for name, values in likely.items()} | {**best, **changes}
        )
        for _ in range(_COMBINATIONS)
        for changes in variants
    ]


def _likely_values(sweep: SweepExercise, averages: Mapping[Cell, PublishedAverage]) -> Sequence[float]:
    published = [averages.get((sweep.number, value)) for value in sweep.values]
    known = [each.accuracy for each in published if each is not None]
    if len(known) < len(sweep.values):
        return sweep.values
    pairs = zip(sweep.values, known, strict=True)
    return [value for value, accuracy in pairs if accuracy >= max(known) - NEARLY_BEST]
