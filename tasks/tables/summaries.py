"""Summarise the trials of each setting: accuracy with its intervals, collapses, and times to an event."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import fmean, median
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.records import count_collapsed
from study.spec import Cell, PublishedAverage, Study
from study.statistics import Spread, summarise
from study.status import Status

Row = dict[str, Any]


@task(name="summarise", task_run_name="summarise", cache_policy=NO_CACHE, persist_result=False)
def summarise_trials(
    study: Study, test_images: int, trials: Sequence[Row], averages: Mapping[Cell, PublishedAverage]
) -> list[Row]:
    """Return a row for each setting: mean test accuracy with its interval, and the published average.

    Args:
        study: The study, for its target accuracy.
        test_images: Number of images behind each test accuracy.
        trials: Rows of `trials`, those of a setting together.
        averages: The published averages.
    """
    settings = groupby(trials, key=lambda row: (row["exercise"], row["setting"]))
    return [_summary_row(study, test_images, list(rows), averages) for _, rows in settings]


def _summary_row(
    study: Study, test_images: int, rows: Sequence[Row], averages: Mapping[Cell, PublishedAverage]
) -> Row:
    first = rows[0]
    done = [row for row in rows if row["status"] == Status.COMPLETED]
    published = averages.get((first["exercise"], first["value"]))
    return {
        **{name: first[name] for name in ("run_id", "study", "exercise", "parameter", "value", "setting")},
        "engine": first["engine"],
        "trials": len(done),
        "failed_trials": len(rows) - len(done),
        "converged_trials": sum(row["converged"] for row in done),
        "target_accuracy": study.target_accuracy,
        "target_trials": sum(row["target_epoch"] is not None for row in done),
        "published_accuracy": None if published is None else published.accuracy_pct / 100,
        **(_found_columns(done, test_images, published) if done else {}),
    }


def _found_columns(done: Sequence[Row], test_images: int, published: PublishedAverage | None) -> Row:
    readings = [row["test_accuracy"] for row in done]
    spread = summarise(readings)
    times = [row["convergence_seconds"] for row in done if row["converged"]]
    return {
        **_accuracy_columns(readings, spread, test_images),
        "mean_validation_accuracy": fmean(row["validation_accuracy"] for row in done),
        "mean_epochs_run": fmean(row["epochs_run"] for row in done),
        "mean_training_seconds": fmean(row["training_seconds"] for row in done),
        "mean_epoch_seconds": fmean(row["training_seconds"] / row["epochs_run"] for row in done),
        "median_convergence_seconds": median(times) if times else None,
        **_time_columns(done),
        "difference": None if published is None else spread.mean - published.accuracy_pct / 100,
        "device": ", ".join(sorted({row["device"] for row in done})),
    }


def _accuracy_columns(readings: Sequence[float], spread: Spread, test_images: int) -> Row:
    # SciPy's and statsmodels' tests take a second to import: late, while lanes train.
    from study.statistics import bootstrap_interval, sampling_error

    several = spread.count > 1
    bootstrap = bootstrap_interval(readings)
    return {
        "mean_accuracy": spread.mean,
        "sd_accuracy": spread.standard_deviation if several else None,
        "low_accuracy": spread.low if several else None,
        "high_accuracy": spread.high if several else None,
        "minimum_accuracy": spread.minimum,
        "maximum_accuracy": spread.maximum,
        "collapsed_trials": count_collapsed(readings),
        "bootstrap_low_accuracy": bootstrap[0] if bootstrap else None,
        "bootstrap_high_accuracy": bootstrap[1] if bootstrap else None,
        "sampling_error": sampling_error(spread.mean, test_images),
    }


def _time_columns(done: Sequence[Row]) -> Row:
    """Return median times to convergence and to the target; trials that never reach it are censored."""
    columns: Row = {}
    for event, watched in (("convergence", "lowest_loss"), ("target", "")):
        for unit in ("epoch", "seconds"):
            # A trial that has not converged will converge at its lowest loss so far at the earliest.
            until = (
                f"{watched}_{unit}"
                if watched
                else {"epoch": "epochs_run", "seconds": "training_seconds"}[unit]
            )
            columns[f"kaplan_meier_{event}_{unit}"] = _median_time(done, f"{event}_{unit}", until)
    return columns


def _median_time(done: Sequence[Row], time: str, until: str) -> float | None:
    from study.statistics import summarise_times

    reached = [row[time] for row in done if row[time] is not None]
    return summarise_times(reached, [row[until] for row in done if row[time] is None]).median
