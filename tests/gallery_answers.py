"""Three months of nights for the questions of `docs/reading.md`, and their answers in plain Python."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from statistics import mean
from typing import Any

from storage.tables.published import RunTables
from study.spec.study_file import read_study
from study.status import NightVerdict, RunStatus, Status
from tests.many_nights import ManyNights
from tests.small_run import changed

Rows = list[tuple[Any, ...]]


def make_gallery_nights() -> list[RunTables]:
    """Three months of two studies; the latest run of `lab` has failures, the one before is complete."""
    lab = ManyNights(read_study("lab").only(frozenset({3, 4})))
    smoke = ManyNights(read_study("smoke").only(frozenset({4})))
    at = [datetime(2024, month, day, 2, tzinfo=UTC) for month in (1, 2, 3) for day in (1, 2, 3)]
    latest = lab.make(at[7], bits="latest", failed=[5])
    trials = [
        changed(row, weights_sha256="other") if (row.exercise, row.repeat) == (4, 1) else row
        for row in latest.trials
    ]
    return [
        lab.make(at[0], verdict=NightVerdict.FIRST),
        lab.make(at[1], failed=[0, 7]),
        smoke.make(at[2]),
        lab.make(at[3], verdict=NightVerdict.DRIFTED, reused=2),
        lab.make(at[4], failed=[3, 12], reused=4),
        smoke.make(at[5], verdict=NightVerdict.DRIFTED, failed=[1], reused=1),
        lab.make(at[6], bits="latest", reused=3),
        replace(latest, trials=trials),
        smoke.make(at[8]),
    ]


def _latest(nights: Sequence[RunTables]) -> RunTables:
    done = [each for each in nights if each.run.study == "lab" and each.run.status == RunStatus.COMPLETED]
    return max(done, key=lambda each: each.run.started_at)


def list_lab(nights: Sequence[RunTables]) -> list[RunTables]:
    return sorted((each for each in nights if each.run.study == "lab"), key=lambda each: each.run.started_at)


def _of(row: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


INTERVAL = ("mean_accuracy", "low_accuracy", "high_accuracy")


def _summary(nights: list[RunTables]) -> Rows:
    rows = sorted(_latest(nights).summary, key=lambda row: (row.exercise, row.value))
    return [_of(row, "exercise", "setting", "trials", *INTERVAL) for row in rows]


def _best_by(nights: list[RunTables], measure: str) -> list[Any]:
    rows = sorted(_latest(nights).summary, key=lambda row: getattr(row, measure))
    return list({row.exercise: row for row in rows}.values())


def _best(nights: list[RunTables]) -> Rows:
    return sorted(
        _of(row, "exercise", "setting", *INTERVAL) for row in _best_by(nights, "mean_validation_accuracy")
    )


def _over_nights(nights: list[RunTables]) -> Rows:
    return [
        (each.run.started_at, *_of(row, *INTERVAL))
        for each in list_lab(nights)
        for row in each.summary
        if row.setting == "dense_units=128"
    ]


def _drifted(nights: list[RunTables]) -> Rows:
    return [
        (each.run.started_at, *_of(row, "exercise", "difference", "p_value", "compared_with", "changes"))
        for each in list_lab(nights)
        for row in each.nights
        if row.verdict == NightVerdict.DRIFTED
    ]


def _failed(nights: list[RunTables]) -> Rows:
    rows = [row for each in list_lab(nights) for row in each.trials if row.run_id >= "202402"]
    failed = [row for row in rows if row.status == Status.FAILED]
    failed.sort(key=lambda row: _of(row, "run_id", "exercise", "value", "repeat"))
    return [_of(row, "run_id", "exercise", "setting", "repeat", "reason") for row in failed]


def _curve(nights: list[RunTables]) -> Rows:
    seen = defaultdict(list)
    latest = _latest(nights)
    for trial in (row for row in latest.trials if row.setting == "dense_units=16"):
        for epoch in latest.epochs:
            if epoch.key == trial.key and epoch.epoch <= trial.epochs_run:
                seen[epoch.epoch].append(epoch.validation_accuracy)
    return [(number, len(seen[number]), mean(seen[number])) for number in sorted(seen)]


def _costs(nights: list[RunTables]) -> Rows:
    months: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for each in list_lab(nights):
        read = [row for row in each.trainings if row.reused]
        saved = sum(row.training_seconds + row.evaluation_seconds for row in read)
        added = (1, each.run.predicted_lane_seconds / 3600, each.run.lane_seconds / 3600, saved / 3600)
        month = f"{each.run.started_at:%Y-%m}"
        months[month] = [a + b for a, b in zip(months[month], added, strict=True)]
    return [(month, *months[month]) for month in sorted(months)]


def _equal(nights: list[RunTables]) -> Rows:
    first, second = (
        {_of(row, "exercise", "setting", "repeat"): row.weights_sha256 for row in each.trials}
        for each in list_lab(nights)[-2:]
    )
    same = Counter(place[0] for place in first if first[place] and first[place] == second[place])
    return [
        (number, count, same[number])
        for number, count in sorted(Counter(place[0] for place in first).items())
    ]


def _as_good(nights: list[RunTables]) -> Rows:
    rows = []
    for best in _best_by(nights, "mean_accuracy"):
        for pair in _latest(nights).comparisons:
            if pair.exercise != best.exercise or pair.differs:
                continue
            if best.value == pair.first_value:
                rows.append((best, pair.second_value, pair.difference, pair.adjusted_p_value))
            if best.value == pair.second_value:
                rows.append((best, pair.first_value, -pair.difference, pair.adjusted_p_value))
    return sorted((best.exercise, best.setting, *rest) for best, *rest in rows)


def _agreement(nights: list[RunTables]) -> Rows:
    rows = sorted(_latest(nights).agreement, key=lambda row: _of(row, "kind", "exercise", "subject"))
    return [_of(row, "kind", "subject", "published_accuracy", "mean_accuracy", "verdict") for row in rows]


def _pythons(nights: list[RunTables]) -> Rows:
    runs = sorted((each.run for each in nights), key=lambda run: run.started_at)
    return [(run.run_id, "3.11.9") for run in runs]


EXPECTED: list[Callable[[list[RunTables]], Rows]] = [
    _summary, _best, _over_nights, _drifted, _failed, _curve, _costs, _equal, _as_good, _agreement, _pythons,
]  # fmt: skip
"""The answers to the ten questions, in order, and what the block on JSON gives."""
