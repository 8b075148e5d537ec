"""Exercise 7: best values are combined and candidates compared on validation, never on test."""

from storage.tables.rows_of_work import TrialRow
from study.spec.exercises import OptimumExercise
from study.spec.study import Study
from study.spec.sweeps import ParameterSweep
from study.status import Status
from tasks.optimum.choose import choose_optimum, combine_best
from tests.rows import make_study, make_trials
from tests.small_run import changed

SWEEP = {"kind": "sweep", "title": "t", "question": "q", "repeats": 2}
OPTIMUM = OptimumExercise(
    number=7, kind="optimum", title="t", question="q",
    candidates={"published": {"filters": 64}}, combine=(2, 5),
)  # fmt: skip
STUDY = Study(
    name="s",
    title="t",
    exercises=(
        ParameterSweep(number=2, parameter="filters", values=(8, 16), **SWEEP),
        ParameterSweep(number=5, parameter="learning_rate", values=(0.1, 0.01), **SWEEP),
        ParameterSweep(number=6, parameter="dropout", values=(0.0, 0.5), **SWEEP),
        OPTIMUM,
    ),
)
TEMPLATE = make_trials(make_study().only(frozenset({2})))[0]


def row(
    exercise: int, value: float | None, validation: float, test: float = 0.5, setting: str = "", seed: int = 1
) -> TrialRow:
    readings = {"validation_accuracy": validation, "test_accuracy": test}
    return changed(TEMPLATE, exercise=exercise, value=value, setting=setting, seed=seed, **readings)


def failed(exercise: int, value: float | None, setting: str = "") -> TrialRow:
    unread = {"status": Status.FAILED, "validation_accuracy": None, "test_accuracy": None}
    return changed(TEMPLATE, exercise=exercise, value=value, setting=setting, **unread)


TRIALS = [
    row(2, 8, 0.80, test=0.99),
    row(2, 8, 0.84, test=0.99),
    row(2, 16, 0.83, test=0.10),
    row(2, 16, 0.85, test=0.10),
    row(5, 0.1, 0.70),
    row(5, 0.01, 0.60),
    row(6, 0.5, 0.99),
]


def test_the_best_value_has_the_highest_mean_on_validation_of_completed_trials_whatever_the_test_says():
    (trial,) = combine_best.fn(STUDY, [*TRIALS, failed(2, 32)])
    assert trial.setting.filters == 16
    assert combine_best.fn(STUDY, [failed(2, 32)]) == ()


def test_the_combination_changes_the_baseline_by_the_named_sweeps_only():
    (trial,) = combine_best.fn(STUDY, TRIALS)
    assert (trial.name, trial.exercise, trial.value) == ("combination", 7, None)
    assert (trial.setting.filters, trial.setting.learning_rate, trial.setting.dropout) == (16, 0.1, 0.0)


def test_a_study_without_an_optimum_has_neither_combination_nor_choice():
    without = STUDY.only(frozenset({2}))
    assert combine_best.fn(without, TRIALS) == ()
    assert choose_optimum.fn(without, TRIALS) is None


def test_the_candidate_with_the_best_mean_on_validation_is_kept_with_its_best_repeat():
    trials = [
        row(7, None, 0.95, setting="published", seed=1),
        row(7, None, 0.80, test=1.0, setting="published", seed=2),
        row(7, None, 0.90, setting="combination", seed=1),
        row(7, None, 0.91, test=0.0, setting="combination", seed=2),
    ]
    chosen = choose_optimum.fn(STUDY, trials)
    assert (chosen.setting, chosen.seed) == ("combination", 2)


def test_a_failed_candidate_is_not_chosen():
    chosen = choose_optimum.fn(
        STUDY, [failed(7, None, "published"), row(7, None, 0.1, setting="combination")]
    )
    assert chosen.setting == "combination"
    assert choose_optimum.fn(STUDY, [failed(7, None, "published")]) is None
