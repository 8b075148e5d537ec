"""Exercise 7's search: Optuna suggests candidates, rungs end the hopeless ones, finalists get fresh seeds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from storage.tables import SearchRow
from study.plan import Training, Trial, candidate_trials, multiply_adds, parameter_count, training_label
from study.records import NetworkSize, Source, StopRule, TrainingRecord
from study.spec import REDUCTION, Hyperparameters, Range, Search, Setting, Study, rungs_to
from study.status import CandidateState
from study.wording import count
from tasks.step import step
from tasks.tables import Outcome, hyperparameter_columns

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

STARTUP = 10
"""Candidates, those of sweeps included, before which suggestions are random: Optuna's default."""

SIGNIFICANT = 2
"""Digits of a suggested fraction: more would claim a precision that no search has."""


@dataclass
class Candidate:
    """One configuration of the search: its origin, trained epochs and readings.

    `setting.epochs` is the most epochs it may train, `readings` are its validation accuracies by epoch.
    """

    number: int
    origin: str
    generation: int
    setting: Setting
    rungs: tuple[int, ...]
    trial: "optuna.Trial"
    rung: int = 0
    state: CandidateState = CandidateState.TRAINING
    readings: list[float] = field(default_factory=list)
    seconds: float = 0.0
    size: NetworkSize | None = None
    """Of a network of one's own."""

    @property
    def epochs_due(self) -> int:
        """Return the epochs of its next rung."""
        return self.rungs[self.rung]

    def best(self, budgets: Sequence[int]) -> tuple[float, int] | None:
        """Return its best validation accuracy at a reached budget, and the fewest epochs that give it."""
        # With a schedule over the epochs, only the whole training is a setting.
        allowed = budgets if self.setting.schedule_epochs is None else (self.setting.epochs,)
        reached = [each for each in allowed if each <= len(self.readings)]
        best = max(reached, key=lambda each: self.readings[each - 1], default=None)
        return None if best is None else (self.readings[best - 1], best)


class OptimumSearch:
    """The state of a search: its candidates, and the trainings that come next."""

    def __init__(self, study: Study, source: Source, search: Search) -> None:
        """Begin a search that knows nothing yet; the first candidates are the study's sweeps' settings."""
        import optuna  # late: half a second that only a search needs

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study, self.search, self._source = study, search, source
        self.budgets = search.budgets(study.baseline)
        self.rungs = rungs_to(self.budgets[-1])
        self.candidates: list[Candidate] = []
        self.generation = 0
        self.left = 1.0  # of the budget, when the generation began
        self._due: list[Candidate] = []
        sampler = optuna.samplers.TPESampler(
            seed=study.seed,
            # Parameters are suggested together, as the learning rate depends on the units; those with a
            # condition one by one.
            multivariate=True,
            n_startup_trials=STARTUP,
            constant_liar=True,  # otherwise the candidates of a generation would be similar
        )
        pruner = optuna.pruners.SuccessiveHalvingPruner(
            min_resource=self.rungs[0], reduction_factor=REDUCTION
        )
        self._optuna = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        self._seeds = list_seeds(study, search)
        for hyperparameters in self._seeds:
            values = hyperparameters.values | {"epochs": self.budgets[-1]}
            searched = {name: values[name] for name in search.space if search.searches(name, values)}
            self._optuna.enqueue_trial(searched)

    @property
    def begun(self) -> int:
        """Count the trainings that use the budget: of candidates that are no setting of a sweep."""
        return sum(each.origin == "suggested" for each in self.candidates)

    @property
    def remaining(self) -> float:
        """Return the fraction of the budget that is left."""
        if self.search.trainings is not None:
            return 1 - self.begun / self.search.trainings
        spent = sum(each.seconds for each in self.candidates if each.origin == "suggested")
        return 1 - spent / 60 / (self.search.minutes or 1)

    def next_generation(self) -> list[Training]:
        """Return the next trainings: promotions, then new candidates; none when the search is over."""
        self.generation += 1
        self.left = max(0.0, self.remaining)
        self._due = [each for each in self.candidates if each.state is CandidateState.TRAINING]
        if self.generation == 1:
            self._due += [self._ask("sweep") for _ in self._seeds]
        while len(self._due) < self.search.generation and self.remaining > 0:
            self._due.append(self._ask("suggested"))
        trainings = [self.training_of(each) for each in self._due]
        return list({each.key: each for each in trainings}.values())

    def learn_from(self, records: Mapping[str, TrainingRecord | None]) -> None:
        """Take the trained records, by key, and decide which candidates continue, the best first."""
        for candidate in self._due:
            self._read(candidate, records[self.training_of(candidate).key])
        for candidate in sorted(self._due, key=lambda each: (-(each.readings or [0.0])[-1], each.number)):
            self._decide(candidate)
        self._due = []

    def training_of(self, candidate: Candidate) -> Training:
        """Return a candidate's training up to its next rung, with the study's first seed."""
        setting, seed = candidate.setting, self.study.seed_of(1)
        return Training(
            hyperparameters=setting.hyperparameters,
            seed=seed,
            source=self._source.of(setting.hyperparameters),
            schedule_epochs=setting.schedule_epochs,
            rules=(StopRule(epochs=candidate.epochs_due),),
            label=training_label(setting.hyperparameters, self.study.baseline, setting.schedule_epochs, seed),
        )

    def _ask(self, origin: str) -> Candidate:
        trial = self._optuna.ask()
        setting = suggest_setting(trial, self.search, self.study.baseline, self.budgets)
        rungs = (*(each for each in self.rungs if each < setting.epochs), setting.epochs)
        candidate = Candidate(len(self.candidates) + 1, origin, self.generation, setting, rungs, trial)
        self.candidates.append(candidate)
        return candidate

    def _read(self, candidate: Candidate, record: TrainingRecord | None) -> None:
        """Take a candidate's readings up to its rung, and report the new ones to Optuna."""
        epochs = record.epochs[: candidate.epochs_due] if record else ()
        for epoch in epochs[len(candidate.readings) :]:
            candidate.trial.report(epoch.validation_accuracy, epoch.epoch)
        candidate.readings = [each.validation_accuracy for each in epochs]
        if record is not None:
            candidate.size = record.size
            candidate.seconds = sum(
                (each.seconds + each.evaluation_seconds) * record.segment_of(each.epoch).threads
                for each in epochs
            )

    def _decide(self, candidate: Candidate) -> None:
        import optuna

        states = optuna.trial.TrialState
        if not candidate.readings:
            candidate.state = CandidateState.FAILED
            self._optuna.tell(candidate.trial, state=states.FAIL)
        elif len(candidate.readings) < candidate.epochs_due:  # its loss is no longer a number
            candidate.state = CandidateState.DIVERGED
            self._optuna.tell(candidate.trial, state=states.PRUNED)
        elif candidate.epochs_due == candidate.setting.epochs:
            candidate.state = CandidateState.COMPLETED
            best = candidate.best(self.budgets)
            self._optuna.tell(candidate.trial, best[0] if best else candidate.readings[-1])
        elif candidate.trial.should_prune():
            candidate.state = CandidateState.STOPPED
            self._optuna.tell(candidate.trial, state=states.PRUNED)
        else:
            candidate.rung += 1


def list_seeds(study: Study, search: Search) -> list[Hyperparameters]:
    """Return the hyperparameters of the study's sweeps that lie in the searched space, each once."""
    swept = [
        setting.hyperparameters for each in study.sweeps for setting in each.settings(study.baseline).values()
    ]
    return [each for each in dict.fromkeys(swept) if search.contains(each, study.baseline)]


def suggest_setting(
    trial: "optuna.Trial", search: Search, baseline: Setting, budgets: Sequence[int]
) -> Setting:
    """Suggest a setting; its epochs are the most it may train.

    With a constant learning rate, one training to the longest budget gives the readings of all: there is
    nothing to suggest. With a schedule over the epochs, each budget needs its own training.
    """
    values = search.choose(baseline, partial(_suggest, trial))
    longest = baseline.with_changes({**values, "epochs": budgets[-1], "patience": None})
    if longest.schedule_epochs is None or len(budgets) == 1:
        return longest
    return longest.with_changes({"epochs": trial.suggest_categorical("epochs", budgets)})


def _suggest(trial: "optuna.Trial", name: str, values: Any, is_whole: bool) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, values)
    if is_whole:
        return trial.suggest_int(
            name, int(values.low), int(values.high), step=int(values.step or 1), log=values.log
        )
    number = trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)
    rounded = round(number, 6) if values.step else float(f"{number:.{SIGNIFICANT}g}")
    return min(max(rounded, values.low), values.high)


@step("search", "search: generation {search.generation}")
def advance_search(search: OptimumSearch, outcomes: Mapping[str, Outcome]) -> list[Training]:
    """Take the last generation's readings, and return the next one's trainings; none when it is over."""
    if search.generation:
        search.learn_from({key: outcome.record for key, outcome in outcomes.items()})
    trainings = search.next_generation()
    states = [each.state for each in search.candidates]
    logger.info(
        "generation %d: %s to train; of %s, %d stopped, %d completed; %.0f%% of the budget left",
        search.generation, count(len(trainings), "training"), count(len(states), "candidate"),
        states.count(CandidateState.STOPPED), states.count(CandidateState.COMPLETED),
        100 * max(0.0, search.remaining),
    )  # fmt: skip
    return trainings


def play_back(search: OptimumSearch, kept: Mapping[str, TrainingRecord]) -> list[Training]:
    """Advance a search as far as kept trainings allow; return the next generation's trainings."""
    while trainings := search.next_generation():
        records = {each.key: kept.get(each.key) for each in trainings}
        if not all(
            record is not None and record.answers(training.rules)
            for training, record in zip(trainings, records.values(), strict=True)
        ):
            return trainings
        search.learn_from(records)
    return []


FINALIST, FRUGAL = "finalist {}", "frugal finalist"
"""Names of the candidates in the tables: by rank on validation, and the cheap one."""

FRUGAL_MARGIN = 0.005
"""Fraction of accuracy that the frugal finalist's reading may lie below the best: about twice the standard
error of one accuracy on 10,000 validation images, within which one reading cannot distinguish two models."""


@step("choose finalists")
def choose_finalists(search: OptimumSearch) -> tuple[Trial, ...]:
    """Return the trials of the finalists, one for each fresh seed."""
    return tuple(
        trial
        for name, (_, setting) in name_finalists(search).items()
        for trial in candidate_trials(search.study, name, setting)
    )


def name_finalists(search: OptimumSearch) -> dict[str, tuple[Candidate, Setting]]:
    """Return the best candidates on validation and, if it is cheaper, the cheapest that comes near.

    Each has the number of epochs at which it was best. Cost is counted in multiply-adds of one image, which,
    unlike seconds, are the same on every machine.
    """
    ranked = _ranked(search)
    chosen = ranked[: search.search.finalists]
    if not chosen:
        return {}
    named = {FINALIST.format(place): each[1:] for place, each in enumerate(chosen, start=1)}
    near = [each for each in ranked if each[0] >= ranked[0][0] - FRUGAL_MARGIN]
    frugal = min(near, key=lambda each: _cost(search, each[1]))
    if _cost(search, frugal[1]) < min(_cost(search, each[1]) for each in chosen):
        named[FRUGAL] = frugal[1:]
    return named


def list_candidates(run_id: str, search: OptimumSearch) -> list[SearchRow]:
    """Return the rows of the table `search`, in the order in which the candidates began."""
    finalists = {candidate.number: name for name, (candidate, _) in name_finalists(search).items()}
    return [_row(run_id, search, each, finalists.get(each.number)) for each in search.candidates]


def _ranked(search: OptimumSearch) -> list[tuple[float, Candidate, Setting]]:
    """List validation accuracy, candidate and setting of those read, best first; equal settings once."""
    found: dict[Setting, tuple[float, Candidate, Setting]] = {}
    for candidate in search.candidates:
        best = candidate.best(search.budgets)
        if best is not None and candidate.state in (CandidateState.COMPLETED, CandidateState.STOPPED):
            setting = candidate.setting.with_changes({"epochs": best[1]})
            found.setdefault(setting, (best[0], candidate, setting))
    return sorted(found.values(), key=lambda each: (-each[0], each[1].number))


def _cost(search: OptimumSearch, candidate: Candidate) -> int:
    own, hyperparameters = candidate.size, candidate.setting.hyperparameters
    return own.multiply_adds if own else multiply_adds(hyperparameters, search.study.data.images)


def _row(run_id: str, search: OptimumSearch, candidate: Candidate, finalist: str | None) -> SearchRow:
    hyperparameters = candidate.setting.hyperparameters
    best = candidate.best(search.budgets)
    training = search.training_of(candidate)
    return SearchRow(
        run_id=run_id,
        study=search.study.name,
        exercise=search.study.optimum.number if search.study.optimum else 0,
        candidate=candidate.number,
        origin=candidate.origin,
        generation=candidate.generation,
        **hyperparameter_columns(hyperparameters, search.study),
        key=training.key,
        seed=training.seed,
        state=candidate.state,
        epochs_trained=len(candidate.readings),
        epochs=best[1] if best else None,
        validation_accuracy=best[0] if best else None,
        finalist=finalist,
        parameters=(
            candidate.size.parameters
            if candidate.size
            else parameter_count(hyperparameters, search.study.data.images)
        ),
        multiply_adds=_cost(search, candidate),
        training_seconds=candidate.seconds,
    )
