"""The readings of settings, from rows of the table `trials`, and the candidate that they keep."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import TypeVar

from storage.tables import SearchRow, TrialRow
from study.records import Read, SettingId, SettingReadings, Sweep
from study.spec import Setting, Study
from study.status import Status

Value = TypeVar("Value")


def known(values: Iterable[Value | None]) -> list[Value]:
    """Return the values that are not missing."""
    return [value for value in values if value is not None]


def read_sweep(exercise: int, trials: Sequence[TrialRow]) -> Sweep:
    """Return the readings of an exercise by value, in the order of the trials."""
    by_value = defaultdict(list)
    for row in trials:
        if row.exercise == exercise and row.value is not None:
            by_value[row.value].append(row)
    return {value: _read_setting(rows) for value, rows in by_value.items()}


def read_candidates(exercise: int, trials: Sequence[TrialRow]) -> dict[str, SettingReadings]:
    """Return the readings of an optimum exercise by the candidate's name, in the order of the trials."""
    by_name = defaultdict(list)
    for row in trials:
        if row.exercise == exercise:
            by_name[row.setting].append(row)
    return {name: _read_setting(rows) for name, rows in by_name.items()}


def read_trials(trials: Sequence[TrialRow]) -> dict[SettingId, dict[int, Read]]:
    """Return the completed trials' readings by setting and seed, in the order of the trials."""
    found: dict[SettingId, dict[int, Read]] = defaultdict(dict)
    for row in trials:
        if row.status == Status.COMPLETED and row.test_accuracy is not None:
            read = Read(row.test_accuracy, str(row.weights_sha256))
            found[row.exercise, row.setting][row.seed] = read
    return dict(found)


def _read_setting(rows: Sequence[TrialRow]) -> SettingReadings:
    done = [row for row in rows if row.status == Status.COMPLETED]
    test = {row.seed: row.test_accuracy for row in done if row.test_accuracy is not None}
    return SettingReadings(test, failed=len(rows) - len(done))


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
    return Setting(**row.model_dump(include=set(Setting.model_fields), exclude_none=True))
