"""The readings of settings, from rows of the table `trials`, and the candidate that they keep."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any, TypeVar

from storage.tables import EpochRow, SearchRow, TrialRow
from study.fashion_mnist import FASHION_IMAGES
from study.records import Curve, Measured, Read, SettingId, SettingReadings, Sweep, Times
from study.spec import LAB_PARAMETERS, Search, Setting, Study
from study.status import Status

Value = TypeVar("Value")


def known(values: Iterable[Value | None]) -> list[Value]:
    """Return the values that are not missing."""
    return [value for value in values if value is not None]


def read_sweep(exercise: int, trials: Sequence[TrialRow], classes: int = FASHION_IMAGES.classes) -> Sweep:
    """Return the readings of an exercise by value, in the order of the trials."""
    by_value = defaultdict(list)
    for row in trials:
        if row.exercise == exercise and row.value is not None:
            by_value[row.value].append(row)
    return {value: _read_setting(rows, classes) for value, rows in by_value.items()}


def read_measured(
    exercise: int,
    trials: Sequence[TrialRow],
    epochs: Sequence[EpochRow],
    classes: int = FASHION_IMAGES.classes,
) -> Measured:
    """Return readings and times of an exercise by value, and the curve of its longest trainings."""
    done = [row for row in trials if row.exercise == exercise and row.status == Status.COMPLETED]
    times = {
        value: _read_times([row for row in done if row.value == value])
        for value in known(row.value for row in done)
    }
    longest = max((row.epochs for row in done), default=0)
    curve = read_curve([row for row in done if row.epochs == longest], epochs)
    return Measured(read_sweep(exercise, trials, classes), times, curve)


def _read_times(rows: Sequence[TrialRow]) -> Times:
    still_open = [row for row in rows if row.convergence_epoch is None]
    return Times(
        epochs=tuple(known(row.convergence_epoch for row in rows)),
        seconds=tuple(known(row.convergence_seconds for row in rows)),
        open_epochs=tuple(known(row.lowest_loss_epoch for row in still_open)),
        open_seconds=tuple(known(row.lowest_loss_seconds for row in still_open)),
    )


def read_curve(trials: Sequence[TrialRow], epochs: Sequence[EpochRow]) -> Curve | None:
    """Return the mean curve of completed trials, as far as all of them read; None if there is none."""
    keys = {row.key for row in trials}
    last = min((row.epochs_run or 0 for row in trials), default=0)
    by_epoch = defaultdict(list)
    for row in epochs:
        if row.key in keys and row.epoch <= last:
            by_epoch[row.epoch].append(row)
    whole = [rows for _, rows in sorted(by_epoch.items()) if len(rows) == len(keys)]
    if not whole:
        return None
    losses = tuple(fmean(row.validation_loss for row in rows) for rows in whole)
    return Curve(losses, fmean(row.train_accuracy for row in whole[-1]))


def read_candidates(
    exercise: int, trials: Sequence[TrialRow], classes: int = FASHION_IMAGES.classes
) -> dict[str, SettingReadings]:
    """Return the readings of an optimum exercise by the candidate's name, in the order of the trials."""
    by_name = defaultdict(list)
    for row in trials:
        if row.exercise == exercise:
            by_name[row.setting].append(row)
    return {name: _read_setting(rows, classes) for name, rows in by_name.items()}


def read_trials(trials: Sequence[TrialRow]) -> dict[SettingId, dict[int, Read]]:
    """Return the completed trials' readings by setting and seed, in the order of the trials."""
    found: dict[SettingId, dict[int, Read]] = defaultdict(dict)
    for row in trials:
        if row.status == Status.COMPLETED and row.test_accuracy is not None:
            read = Read(row.test_accuracy, str(row.weights_sha256))
            found[row.exercise, row.setting][row.seed] = read
    return dict(found)


def _read_setting(rows: Sequence[TrialRow], classes: int) -> SettingReadings:
    done = [row for row in rows if row.status == Status.COMPLETED]
    test = {row.seed: row.test_accuracy for row in done if row.test_accuracy is not None}
    return SettingReadings(test, failed=len(rows) - len(done), classes=classes)


def kept_candidate(study: Study, trials: Sequence[TrialRow]) -> str | None:
    """Return the name of the candidate with the best validation mean, the first of equals; None if none."""
    by_candidate = defaultdict(list)
    for row in completed_candidates(study, trials):
        by_candidate[row.setting].append(row.validation_accuracy)
    return max(by_candidate, key=lambda name: fmean(known(by_candidate[name])), default=None)


def completed_candidates(study: Study, trials: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the completed trials of the optimum exercise, if the study has one."""
    number = study.optimum.number if study.optimum else None
    return [row for row in trials if row.exercise == number and row.status == Status.COMPLETED]


def read_setting(row: TrialRow | SearchRow) -> Setting:
    """Return the setting of a row of `trials` or `search`; a parameter without a value is at its default.

    Raises:
        ValidationError: a parameter cannot have its value.
    """
    values = row.model_dump(include=set(Setting.model_fields), exclude_none=True)
    if row.network_parameters is None:
        return Setting(**values)
    known = {name: each for name, each in values.items() if name not in LAB_PARAMETERS or each}
    return Setting(**known | {"network_parameters": json.loads(row.network_parameters)})


def read_searched(row: SearchRow, search: Search) -> dict[str, Any]:
    """Return the values of the parameters that were searched in a candidate, by name."""
    values = read_setting(row).values
    return {name: values[name] for name in search.space if search.searches(name, values)}
