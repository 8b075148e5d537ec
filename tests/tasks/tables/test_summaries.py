"""The summary of settings: failures are counted and left out; no time is made up for what did not happen."""

import pytest

from storage.tables.rows_of_findings import SummaryRow
from storage.tables.rows_of_work import TrialRow
from study.spec.published import PublishedAverage
from tasks.tables.summaries import summarise_trials
from tests.small_run import changed
from tests.tasks.tables.test_rows import GOOD, OTHER, STUDY, aggregate, make_failure, make_outcome


def _summarise(trials: list[TrialRow], averages: dict) -> list[SummaryRow]:
    return summarise_trials.fn(STUDY, 10_000, trials, averages)


def test_the_summary_has_mean_interval_and_published_average():
    published = {(4, 4.0): PublishedAverage(4, "epochs", 4.0, 4, 0.8, "")}
    first, second = _summarise(aggregate(GOOD, OTHER), published)
    assert second.mean_accuracy == pytest.approx(0.82)
    # t(0.975, 1) = 12.706; standard error = 0.02
    assert second.low_accuracy == pytest.approx(0.82 - 12.706 * 0.02, abs=1e-4)
    assert second.difference == pytest.approx(0.02)
    assert first.published_accuracy is None


def test_equal_readings_have_no_interval():
    _, second = _summarise(aggregate(GOOD, make_outcome(2, [0.52, 0.6, 0.7, 0.8])), {})
    assert (second.trials, second.low_accuracy, second.high_accuracy) == (2, None, None)


def test_the_summary_counts_failures_and_leaves_them_out_of_the_mean():
    _, second = _summarise(aggregate(GOOD, make_failure(2)), {})
    assert (second.trials, second.failed_trials) == (1, 1)
    assert second.mean_accuracy == pytest.approx(0.8)
    assert second.sd_accuracy is None


def test_a_setting_of_which_every_trial_failed_has_no_mean():
    first, _ = _summarise(aggregate(make_failure(1), make_failure(2)), {})
    assert (first.trials, first.failed_trials) == (0, 2)
    assert first.mean_accuracy is None


def test_collapsed_trials_are_counted_and_the_test_set_s_error_stands_apart():
    first, second = _summarise(aggregate(make_outcome(1, [0.5, 0.6, 0.7, 0.1]), OTHER), {})
    assert (first.collapsed_trials, second.collapsed_trials) == (0, 1)
    assert second.sampling_error == pytest.approx((0.47 * 0.53 / 10_000) ** 0.5)
    assert (second.bootstrap_low_accuracy, second.bootstrap_high_accuracy) == (None, None)


def test_the_median_time_to_convergence_counts_those_that_did_not_converge_as_censored():
    converged, unconverged = make_outcome(1, [0.8, 0.7, 0.7, 0.7]), OTHER
    _, half = _summarise(aggregate(converged, unconverged), {})
    assert half.converged_trials == 1
    assert half.median_convergence_seconds == 2.0  # of the one that did
    # One of two converged at epoch 1, the other not before 4: the curve stays at a half, and has no median.
    assert half.kaplan_meier_convergence_epoch is None
    _, both = _summarise(aggregate(converged, make_outcome(2, [0.5, 0.4, 0.4, 0.4])), {})
    assert (both.kaplan_meier_convergence_epoch, both.kaplan_meier_convergence_seconds) == (1.0, 2.0)


def test_where_epochs_have_no_median_seconds_have_none():
    # The three that never got there ended before the only one that did.
    first = aggregate(GOOD, OTHER)[0]
    trials = [changed(first, target_epoch=1, target_seconds=9.0)] + [
        changed(first, target_epoch=None, target_seconds=None, training_seconds=seconds)
        for seconds in (4.0, 5.0, 6.0)
    ]
    (row,) = _summarise(trials, {})
    assert row.target_trials == 1
    assert row.kaplan_meier_target_epoch is row.kaplan_meier_target_seconds is None


def test_the_median_time_to_the_target_is_of_all_trials():
    early, late = make_outcome(1, [0.9, 0.9, 0.9, 0.9]), make_outcome(2, [0.8, 0.9, 0.9, 0.9])
    _, row = _summarise(aggregate(early, late), {})
    assert (row.target_accuracy, row.target_trials) == (0.88, 2)
    assert (row.kaplan_meier_target_epoch, row.kaplan_meier_target_seconds) == (1.5, 3.0)
    assert (row.mean_epoch_seconds, row.device) == (2.0, "CPU")
