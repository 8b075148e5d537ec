"""Compare a night with the earlier runs: the rows of the table `nights`."""

import json
import logging
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.place import Results
from storage.tables import list_runs, read_rows
from study.changes import Change, Provenance, name_changes, write_changes
from study.drift import MOST_RUNS, NightReading, Verdict, compare_night
from study.errors import InputError
from study.night_words import describe_changes, describe_verdict
from study.setting import Setting
from tasks.aggregate import Context
from tasks.dataset import Dataset
from tasks.publish import Circumstances, describe_provenance
from tasks.setting_of import read_setting

logger = logging.getLogger(__name__)

Row = dict[str, Any]

_COLUMNS = (
    "run_id", "exercise", "setting", "seed", "key", "status", "weights_sha256", "test_accuracy",
    *Setting.model_fields,
)  # fmt: skip


@task(name="compare nights", task_run_name="compare nights", cache_policy=NO_CACHE, persist_result=False)
def compare_nights(
    results: Results,
    context: Context,
    circumstances: Circumstances,
    dataset: Dataset,
    trials: Sequence[Row],
    trainings: Sequence[Row],
) -> list[Row]:
    """One row for each exercise: whether it reads what earlier runs read, and what changed in between.

    Args:
        results: Where the earlier runs lie.
        context: The run.
        circumstances: Machine and start of the run.
        dataset: The images in use.
        trials: The run's rows of `trials`.
        trainings: Its rows of `trainings`.
    """
    numbers = sorted({int(row["exercise"]) for row in trials})
    runs = _find_comparable(results, context, circumstances, numbers)
    run_ids = runs["run_id"].tolist()
    earlier = read_rows(results, "trials", run_ids, _COLUMNS)
    nights = read_rows(results, "nights", run_ids, ["run_id", "exercise", "verdict"])
    drifted = nights[nights["verdict"] == "drifted"]
    verdicts = compare_night(
        [_reading(row) for row in trials],
        [
            [_reading(row) for row in rows.to_dict("records")]
            for _, rows in earlier.groupby("run_id", sort=False)
        ],
        set(zip(drifted["run_id"], drifted["exercise"], strict=True)),
    )
    provenance = describe_provenance(context, circumstances, dataset)
    before = {str(row["run_id"]): _provenance(row) for row in runs.to_dict("records")}
    rows = []
    for verdict in verdicts:
        changes = name_changes(before[verdict.compared_with], provenance) if verdict.compared_with else ()
        rows.append(
            {
                **_verdict_columns(context, verdict, changes, bool(provenance.git_dirty)),
                **_measures([row for row in trials if row["exercise"] == verdict.exercise], trainings),
            }
        )
        level = logging.WARNING if verdict.name in ("drifted", "no reading") else logging.INFO
        logger.log(level, "exercise %d: %s", verdict.exercise, rows[-1]["message"])
    return rows


def _find_comparable(
    results: Results, context: Context, circumstances: Circumstances, exercises: Sequence[int]
) -> pd.DataFrame:
    """The earlier runs of the study and protocol: of each exercise the latest that ran it, oldest first."""
    try:
        runs = list_runs(results)
    except InputError as damage:
        logger.warning("%s; the night is compared with nothing", damage)
        return pd.DataFrame({"run_id": []})
    is_earlier = (runs["started_at"] < circumstances.started_at) & (runs["run_id"] != context.run_id)
    is_same = (runs["study"] == context.study.name) & (runs["protocol"] == context.study.protocol)
    earlier = runs[is_earlier & is_same]
    ran = earlier["exercises"].str.split(",")
    wanted = {
        run_id
        for number in exercises
        for run_id in earlier.loc[ran.map(lambda each, n=str(number): n in each), "run_id"].tail(MOST_RUNS)
    }
    return earlier[earlier["run_id"].isin(wanted)]


def _reading(row: Mapping[Any, Any]) -> NightReading:
    done = row["status"] == "completed"
    return NightReading(
        run_id=str(row["run_id"]),
        exercise=int(row["exercise"]),
        setting=str(row["setting"]),
        identity=_identity(row),
        seed=int(row["seed"]),
        key=str(row["key"]),
        weights_sha256=str(row["weights_sha256"]) if done else None,
        accuracy=float(row["test_accuracy"]) if done else None,
    )


def _identity(row: Mapping[Any, Any]) -> str:
    """A setting's parameters as one text."""
    return read_setting(row).model_dump_json()


def _provenance(row: Mapping[Any, Any]) -> Provenance:
    known = {name: row[name] for name in Provenance.model_fields if not pd.isna(row[name])}
    missing = dict.fromkeys(Provenance.model_fields.keys() - known.keys())
    return Provenance.model_validate({**missing, **known, "versions": json.loads(row["versions"])})


def _verdict_columns(context: Context, verdict: Verdict, changes: tuple[Change, ...], is_dirty: bool) -> Row:
    changed = describe_changes(verdict.name, verdict.compared_with, changes, is_dirty)
    said = (describe_verdict(verdict), changed)
    return {
        "run_id": context.run_id,
        "study": context.study.name,
        "exercise": verdict.exercise,
        "verdict": verdict.name,
        "message": " ".join(filter(None, said)),
        "trials": verdict.trials,
        "failed_trials": verdict.failed_trials,
        "changed_trials": verdict.changed_trials,
        "compared_with": verdict.compared_with,
        "earlier_runs": verdict.earlier_runs,
        "distinct_readings": verdict.distinct_readings,
        "difference": verdict.difference,
        "p_value": verdict.p_value,
        "threshold": verdict.threshold,
        "changes": None if verdict.compared_with is None else write_changes(changes),
    }


def _measures(trials: Sequence[Row], trainings: Sequence[Row]) -> Row:
    """Accuracy and time of one exercise, from its trials and all the run's trainings."""
    by_setting: dict[str, list[float]] = {}
    for row in trials:
        if row["status"] == "completed":
            by_setting.setdefault(str(row["setting"]), []).append(float(row["test_accuracy"]))
    means = [fmean(readings) for readings in by_setting.values()]
    keys = {row["key"] for row in trials}
    return {
        "mean_accuracy": fmean(means) if means else None,
        "best_accuracy": max(means, default=None),
        "lane_seconds": sum(float(row["lane_seconds"]) for row in trainings if row["key"] in keys),
    }
