"""Summarise the trials of each setting: accuracy with its intervals, collapses, and times to an event."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import truediv
from statistics import fmean, median

from storage.tables import SummaryRow, TrialRow, null_if_nan
from study.records import count_collapsed
from study.spec import Cell, PublishedAverage, Study
from study.statistics import summarise
from study.status import Status
from tasks.step import step
from tasks.tables.readings import known


@step("summarise")
def summarise_trials(
    study: Study, test_images: int, trials: Sequence[TrialRow], averages: Mapping[Cell, PublishedAverage]
) -> list[SummaryRow]:
    """Return a row for each setting: mean test accuracy with its interval, and the published average.

    Trials of a setting stand together; `test_images` are behind each test accuracy.
    """
    settings = groupby(trials, key=lambda row: (row.exercise, row.setting))
    return [_summary_row(study, test_images, list(rows), averages) for _, rows in settings]


def _summary_row(
    study: Study, test_images: int, rows: Sequence[TrialRow], averages: Mapping[Cell, PublishedAverage]
) -> SummaryRow:
    first = rows[0]
    done = [row for row in rows if row.status == Status.COMPLETED]
    published = averages.get((first.exercise, first.value))
    row = partial(
        SummaryRow,
        run_id=first.run_id,
        study=first.study,
        exercise=first.exercise,
        parameter=first.parameter,
        value=first.value,
        setting=first.setting,
        engine=first.engine,
        trials=len(done),
        failed_trials=len(rows) - len(done),
        converged_trials=sum(bool(row.converged) for row in done),
        target_accuracy=study.target_accuracy,
        target_trials=sum(row.target_epoch is not None for row in done),
        published_accuracy=published.accuracy if published else None,
    )
    return (
        _timed(_read(row, done, test_images, published, study.data.images.classes), done) if done else row()
    )


def _read(
    row: Callable[..., SummaryRow],
    done: Sequence[TrialRow],
    test_images: int,
    published: PublishedAverage | None,
    classes: int,
) -> Callable[..., SummaryRow]:
    """Return what makes a summary's row, with the accuracies of its completed trials."""
    # SciPy's and statsmodels' tests take a second to import: late, while lanes train.
    from study.statistics import bootstrap_interval, sampling_error

    readings = known(trial.test_accuracy for trial in done)
    spread, (low, high) = summarise(readings), bootstrap_interval(readings) or (None, None)
    return partial(
        row,
        mean_accuracy=spread.mean,
        sd_accuracy=null_if_nan(spread.standard_deviation),
        low_accuracy=spread.low if spread.has_interval else None,
        high_accuracy=spread.high if spread.has_interval else None,
        minimum_accuracy=spread.minimum,
        maximum_accuracy=spread.maximum,
        collapsed_trials=count_collapsed(readings, classes),
        bootstrap_low_accuracy=low,
        bootstrap_high_accuracy=high,
        sampling_error=sampling_error(spread.mean, test_images),
        mean_validation_accuracy=fmean(known(trial.validation_accuracy for trial in done)),
        difference=spread.mean - published.accuracy if published else None,
    )


def _timed(row: Callable[..., SummaryRow], done: Sequence[TrialRow]) -> SummaryRow:
    """Return a summary's row, with the times of its completed trials."""
    epochs = known(trial.epochs_run for trial in done)
    seconds = known(trial.training_seconds for trial in done)
    convergence = known(trial.convergence_seconds for trial in done)
    # A trial that has not converged will converge at its lowest loss so far at the earliest.
    converged = _median_time((trial.convergence_epoch, trial.lowest_loss_epoch) for trial in done)
    converged_seconds = _median_time((trial.convergence_seconds, trial.lowest_loss_seconds) for trial in done)
    target = _median_time((trial.target_epoch, trial.epochs_run) for trial in done)
    target_seconds = _median_time((trial.target_seconds, trial.training_seconds) for trial in done)
    return row(
        mean_epochs_run=fmean(epochs),
        mean_training_seconds=fmean(seconds),
        mean_epoch_seconds=fmean(map(truediv, seconds, epochs)),
        median_convergence_seconds=median(convergence) if convergence else None,
        kaplan_meier_convergence_epoch=converged,
        # Seconds differ where epochs do not: a trial may be censored before the only one that converged.
        kaplan_meier_convergence_seconds=None if converged is None else converged_seconds,
        kaplan_meier_target_epoch=target,
        kaplan_meier_target_seconds=None if target is None else target_seconds,
        device=", ".join(sorted(set(known(trial.device for trial in done)))),
    )


def _median_time(times: Iterable[tuple[float | None, float | None]]) -> float | None:
    """Return the median of times to an event; one that is missing is censored at the time beside it."""
    from study.statistics import median_time

    pairs = list(times)
    reached = known(time for time, _ in pairs)
    return median_time(reached, known(until for time, until in pairs if time is None))
