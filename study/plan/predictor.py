"""Predict how long each training of a plan takes, and how much later phases will add."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean, pstdev
from types import MappingProxyType

from study.plan.cost import Amount, CostModel, Shape
from study.plan.forecast import MODEL_SECONDS, RUN_SECONDS, Forecast, FurtherTrainings, Job, SearchProgress
from study.plan.plan import Plan, Training, combination_trials, compile_plan, key_of
from study.records import Source, StopRule, TrainingRecord
from study.spec import (
    Cell,
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

PUBLISHED_SPREAD, REPEATS_SPREAD = 0.01, 0.005
"""Standard deviations of accuracies: of a mean around the published average, and of repeats of one setting.
Measured on `lab`."""

_COMBINATIONS = 256
"""The number of combinations of swept values drawn to predict the cost of the one that will be trained."""


Read = Mapping[Cell, Sequence[float]]
"""Accuracies read so far, by exercise and value: fractions."""


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

    def forecast(self, study: Study, plan: Plan, lanes: int, read: Read = MappingProxyType({})) -> Forecast:
        """Predict a plan's cost, given what has been read of its sweeps."""
        later = self.predict_combination(study, plan.source, read, lanes)
        search, finals = self._predict_search(study, plan, lanes)
        jobs = tuple(self.predict_trainings(plan, lanes))
        common, rates = self.costs.common_spread, self.costs.rates
        found = Forecast(jobs, later, lanes, common, rates, search, finals, predictor=self)
        has_new_model = study.model_exercise is not None and found.lane_seconds > 0
        return replace(found, rest_seconds=RUN_SECONDS + MODEL_SECONDS * has_new_model)

    def predict_trainings(self, plan: Plan, lanes: int) -> list[Job]:
        """Predict the trainings of a plan: those of first repeats, then the others, each longest first.

        So the combination of best values, and with it the time it will take, shows early.
        """
        jobs = [self.predict(training) for training in plan.trainings]
        rates, waiting = self.costs.rates, sum(not job.is_reused for job in jobs)
        threads = rates.threads_each(waiting, lanes)
        spread_out = [
            job.on_threads(threads, rates.speedup(threads))
            if job.training.hyperparameters.is_accelerated
            else job
            for job in jobs
        ]
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
            self.costs.rates_of(training.hyperparameters).startup_seconds + epochs * each,
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

    def predict_combination(self, study: Study, source: Source, read: Read, lanes: int) -> FurtherTrainings:
        """Predict the trainings of the combination of best values and of its variants."""
        if study.optimum is None or not study.combined_sweeps:
            return FurtherTrainings(0)
        repeats = study.optimum.repeats * len(study.optimum.combinations)
        combinations = draw_combinations(study, read)
        if len(set(combinations)) == 1:
            further = compile_plan(study, combination_trials(study, combinations[0]), source)
            return replace(self._predict_known(further, lanes), training=further.trainings[0])
        variants = study.optimum.combinations.values()
        drawn = [each.with_changes(changes) for each in combinations for changes in variants]
        costs = [self.costs.epoch_seconds(each.hyperparameters, self.amount) * each.epochs for each in drawn]
        rates = self.costs.rates
        speedup = rates.speedup(rates.threads_each(repeats, lanes))
        mean = (rates.startup_seconds + fmean(costs)) / speedup
        peak = self._most_bytes(drawn, source)
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
        mean, spread, peak = fmean(costs), pstdev(costs), self._most_bytes(drawn, plan.source)
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

    def _most_bytes(self, drawn: Sequence[Setting], source: Source) -> int:
        """Return the memory of the largest of some settings."""
        hyperparameters = [each.hyperparameters for each in drawn]
        return max(self.costs.peak_bytes(each, source.of(each).engine) for each in hyperparameters)

    def _predict_known(self, further: Plan, lanes: int) -> FurtherTrainings:
        """Predict later trainings that earlier runs already decide."""
        jobs = self.predict_trainings(further, lanes)
        seconds = tuple(job.seconds for job in jobs if not job.is_reused)
        return FurtherTrainings(len(jobs), seconds, math.hypot(*(job.spread for job in jobs)))


def _draw_candidates(study: Study, search: Search) -> list[Setting]:
    """Draw some settings that a search could find, each equally likely; always the same."""
    random = Random(0)
    return [search.draw(study.baseline, random) for _ in range(_COMBINATIONS)]


def draw_combinations(study: Study, read: Read) -> list[Setting]:
    """Draw some combinations of values that may turn out best; always the same, all equal once it is known.

    A mean that is not final yet is normal: around what has been read, if every value of the sweep has been,
    or else around the published averages. Without these each value is equally likely to be the best.
    """
    published = {cell: each.accuracy for cell, each in read_averages(study.published).items()}
    random = Random(0)
    means = [(sweep, _expect_means(sweep, read, published)) for sweep in study.combined_sweeps]
    return [
        study.baseline.with_changes(
            {
                name: value
                for sweep, expected in means
                for name, value in sweep.levels[
                    max(expected, key=lambda level: random.gauss(*expected[level]))
                ].items()
            }
        )
        for _ in range(_COMBINATIONS)
    ]


def _expect_means(
    sweep: SweepExercise, read: Read, published: Mapping[Cell, float]
) -> dict[float, tuple[float, float]]:
    """Return, for each level, its final mean as expected and the standard deviation."""
    cells: dict[float, Cell] = {level: (sweep.number, level) for level in sweep.levels}
    counts = [len(read.get(cell, ())) for cell in cells.values()]
    if all(counts):
        # Of the final mean, given the mean of the first readings.
        spreads = [REPEATS_SPREAD * max(0.0, 1 / count - 1 / sweep.repeats) ** 0.5 for count in counts]
        means = [fmean(read[cell]) for cell in cells.values()]
        return dict(zip(cells, zip(means, spreads, strict=True), strict=True))
    if all(cell in published for cell in cells.values()):
        return {value: (published[cell], PUBLISHED_SPREAD) for value, cell in cells.items()}
    return dict.fromkeys(cells, (0.0, 1.0))
