"""The readings of settings, from rows of the table `trials`, and the candidate that they keep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from study.records import Read, SettingId, SettingReadings, Sweep
from study.spec import Setting, Study
from study.status import Status

Row = Mapping[Any, Any]


def read_sweep(exercise: int, trials: Sequence[Row]) -> Sweep:
    """Return the readings of an exercise by value, in the order of the trials."""
    by_value = defaultdict(list)
    for row in trials:
        if row["exercise"] == exercise:
            by_value[float(row["value"])].append(row)
    return {value: _read_setting(rows) for value, rows in by_value.items()}


def read_candidates(exercise: int, trials: Sequence[Row]) -> dict[str, SettingReadings]:
    """Return the readings of an optimum exercise by the candidate's name, in the order of the trials."""
    by_name = defaultdict(list)
    for row in trials:
        if row["exercise"] == exercise:
            by_name[str(row["setting"])].append(row)
    return {name: _read_setting(rows) for name, rows in by_name.items()}


def read_trials(trials: Sequence[Row]) -> dict[SettingId, dict[int, Read]]:
    """Return the completed trials' readings by setting and seed, in the order of the trials."""
    found: dict[SettingId, dict[int, Read]] = defaultdict(dict)
    for row in trials:
        if row["status"] == Status.COMPLETED:
            read = Read(float(row["test_accuracy"]), str(row["weights_sha256"]))
            found[int(row["exercise"]), str(row["setting"])][int(row["seed"])] = read
    return dict(found)


def _read_setting(rows: Sequence[Row]) -> SettingReadings:
    done = [row for row in rows if row["status"] == Status.COMPLETED]
    test = {int(row["seed"]): float(row["test_accuracy"]) for row in done}
    return SettingReadings(test, failed=len(rows) - len(done))


def kept_candidate(study: Study, trials: Sequence[Row]) -> str | None:
    """Return the name of the candidate with the best validation mean, the first of equals; None if none."""
    by_candidate = defaultdict(list)
    for row in completed_candidates(study, trials):
        by_candidate[str(row["setting"])].append(float(row["validation_accuracy"]))
    return max(by_candidate, key=lambda name: fmean(by_candidate[name]), default=None)


def completed_candidates(study: Study, trials: Sequence[Row]) -> list[Row]:
    """Return the completed trials of the optimum exercise, if the study has one."""
    number = study.optimum.number if study.optimum else None
    return [row for row in trials if row["exercise"] == number and row["status"] == Status.COMPLETED]


def read_setting(row: Mapping[Any, Any]) -> Setting:
    """Return the setting of a row of `trials` or `search`; a parameter without a value is at its default.

    Raises:
        ValidationError: a parameter cannot have its value.
    """
    values = {name: row[name] for name in Setting.model_fields if name in row}
    # A value that does not equal itself is pandas' missing number.
    return Setting.model_validate(
        {name: value for name, value in values.items() if value is not None and value == value}
    )
