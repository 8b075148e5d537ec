"""Aggregation: a row for each trial, failed or not."""

from study.plan.plan import compile_plan, list_trials
from study.records.record import Epoch, Source, StopRule
from study.spec.study import Study
from study.spec.sweeps import ParameterSweep
from tasks.tables.rows import Outcome, RunContext, aggregate_trials, list_epochs, list_trainings
from tests.rows import make_record, make_segment

SWEEP = ParameterSweep(
    number=4, kind="sweep", title="t", question="q", parameter="epochs", values=(1, 4), repeats=2
)
STUDY = Study(name="s", title="t", exercises=(SWEEP,))
SOURCE = Source(protocol="lab", data="d", held_out_images=0, model="1", tensorflow="2", device="CPU")
CONTEXT = RunContext("this-run", STUDY, SOURCE, "commit")
PLAN = compile_plan(STUDY, list_trials(STUDY), SOURCE)


def make_epoch(seed: int, number: int, accuracy: float) -> Epoch:
    return Epoch(
        epoch=number, train_loss=1 / number, train_accuracy=accuracy, validation_loss=1 - accuracy,
        validation_accuracy=accuracy, test_loss=1 - accuracy, test_accuracy=accuracy,
        seconds=2.0, evaluation_seconds=0.5, weights_sha256=f"{seed}-{number}",
    )  # fmt: skip


def make_outcome(seed: int, accuracies: list[float], run_id: str = "this-run") -> Outcome:
    training = next(each for each in PLAN.trainings if each.seed == seed)
    epochs = [make_epoch(seed, *each) for each in enumerate(accuracies, start=1)]
    return Outcome(training, make_record(training, epochs, run_id), None, 1, 10.0)


def make_failure(seed: int) -> Outcome:
    training = next(each for each in PLAN.trainings if each.seed == seed)
    return Outcome(training, None, "LaneDied: lane-0 died", 3)


def aggregate(*outcomes: Outcome):
    return aggregate_trials.fn(CONTEXT, PLAN.trials, {each.training.key: each for each in outcomes})


GOOD = make_outcome(1, [0.5, 0.6, 0.7, 0.8])
OTHER = make_outcome(2, [0.52, 0.6, 0.7, 0.84], run_id="earlier-run")


def test_a_shorter_trial_reads_the_first_epochs_of_its_training():
    rows = aggregate(GOOD, OTHER)
    assert [(row.setting, row.repeat, row.test_accuracy) for row in rows] == [
        ("epochs=1", 1, 0.5),
        ("epochs=1", 2, 0.52),
        ("epochs=4", 1, 0.8),
        ("epochs=4", 2, 0.84),
    ]
    assert [row.training_seconds for row in rows] == [2.0, 2.0, 8.0, 8.0]
    assert [row.weights_sha256 for row in rows] == ["1-1", "2-1", "1-4", "2-4"]


def test_a_failed_training_makes_each_of_its_trials_a_row_with_the_reason():
    rows = aggregate(GOOD, make_failure(2))
    failed = [row for row in rows if row.status == "failed"]
    assert [(row.setting, row.reason, row.attempts) for row in failed] == [
        ("epochs=1", "LaneDied: lane-0 died", 3),
        ("epochs=4", "LaneDied: lane-0 died", 3),
    ]
    assert all(row.test_accuracy is None for row in failed)


def test_trials_of_a_training_that_was_gone_on_with_are_reused_as_far_as_it_was_there():
    record = GOOD.record
    assert record is not None
    segments = (make_segment(record.epochs[:2], "earlier-run"), make_segment(record.epochs[2:], "this-run"))
    longer = Outcome(GOOD.training, record.model_copy(update={"segments": segments}), None, 1)
    rows = aggregate(longer, OTHER)
    earlier, this = (True, "earlier-run"), (False, "this-run")
    assert [(row.reused, row.trained_by) for row in rows] == [earlier, earlier, this, earlier]


def test_a_training_s_row_has_what_was_predicted_and_what_it_took():
    outcomes = {each.training.key: each for each in (GOOD, OTHER, make_failure(2))}
    trained, failed = list_trainings.fn(CONTEXT, outcomes)
    assert (trained.predicted_seconds, trained.lane_seconds) == (10.0, 1.5 + 4 * 2.5)
    assert (trained.epochs, trained.epochs_trained, trained.reused) == (4, 4, False)
    assert (failed.status, failed.reason, failed.epochs) == ("failed", "LaneDied: lane-0 died", None)
    (reused,) = list_trainings.fn(CONTEXT, {OTHER.training.key: OTHER})
    assert (reused.reused, reused.epochs_trained, reused.lane_seconds) == (True, 0, 0)


def test_epochs_that_no_trial_of_the_run_reads_are_left_out():
    longer = make_outcome(1, [0.5, 0.6, 0.7, 0.8, 0.85, 0.9])
    outcomes = {longer.training.key: longer}
    assert [row.epoch for row in list_epochs.fn(CONTEXT, outcomes)] == [1, 2, 3, 4]
    (row,) = list_trainings.fn(CONTEXT, outcomes)
    assert (row.epochs, row.training_seconds) == (4, 8.0)


def test_a_training_asked_for_twice_in_a_run_answers_both_and_fails_only_where_it_failed():
    again = GOOD.training.model_copy(update={"rules": (StopRule(epochs=6),)})
    failure = Outcome(again, None, "LaneDied: lane-0 died", 3, 5.0)
    both = failure.following(GOOD)
    assert [row.status for row in aggregate(both, OTHER)] == ["completed"] * 4
    assert all(row.reason is None for row in aggregate(both, OTHER))
    assert len(both.epochs) == 4
    assert both.predicted_seconds == 15.0
    longer = make_outcome(1, [0.5, 0.6, 0.7, 0.8, 0.85, 0.9])
    extended = Outcome(again, longer.record, None, 2, 5.0).following(GOOD)
    assert len(extended.epochs) == 6
    assert [row.test_accuracy for row in aggregate(extended, OTHER)] == [0.5, 0.52, 0.8, 0.84]


def test_a_training_that_converged_has_the_time_up_to_its_lowest_validation_loss_and_another_none():
    row = aggregate(GOOD, OTHER)[2]
    assert (row.converged, row.convergence_epoch, row.convergence_seconds) == (False, None, None)
    row = aggregate(make_outcome(1, [0.8, 0.7, 0.7, 0.7]), OTHER)[2]
    assert (row.converged, row.convergence_epoch, row.convergence_seconds) == (True, 1, 2.0)
    assert (row.lowest_loss_epoch, row.lowest_loss_seconds) == (1, 2.0)


def test_a_trial_has_the_time_to_the_study_s_target_of_validation_accuracy():
    reached = aggregate(make_outcome(1, [0.8, 0.879, 0.88, 0.9]), OTHER)[2]
    assert (reached.target_epoch, reached.target_seconds) == (3, 6.0)
    missed = aggregate(make_outcome(1, [0.8, 0.7, 0.87, 0.8799]), OTHER)[2]
    assert (missed.target_epoch, missed.target_seconds) == (None, None)
