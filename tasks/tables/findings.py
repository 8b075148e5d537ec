"""The rows of `comparisons`, `agreement`, `nights`: with each other, published values and earlier runs."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.results import Results
from storage.tables import list_runs, read_rows
from study.conclusions import (
    MAX_RUNS,
    Change,
    NightReading,
    Provenance,
    Verdict,
    compare_night,
    describe_changes,
    describe_verdict,
    name_changes,
    write_changes,
)
from study.errors import InputError
from study.spec import BandVerdict, Cell, PublishedSource, Setting, Study
from study.status import Status
from tasks.data import Dataset
from tasks.tables.publish import RunFacts, describe_provenance
from tasks.tables.readings import kept_candidate, read_candidates, read_setting, read_sweep
from tasks.tables.rows import RunContext

if TYPE_CHECKING:
    from study.conclusions import CellAgreement, HeldClaim
    from study.statistics import PairTest

Row = dict[str, Any]


@task(name="compare settings", task_run_name="compare settings", cache_policy=NO_CACHE, persist_result=False)
def compare_settings(study: Study, run_id: str, trials: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a row for each pair of settings of a sweep that have two readings or more.

    Args:
        study: The study.
        run_id: The run.
        trials: Its rows of `trials`.
    """
    from study.statistics import compare_pairs  # late, with SciPy and statsmodels

    rows = []
    for exercise in study.sweeps:
        readings = {value: each.test for value, each in read_sweep(exercise.number, trials).items()}
        for each in compare_pairs(readings, exercise.reads_prefixes(study.baseline)).tests:
            place = {"exercise": exercise.number, "parameter": exercise.parameter}
            rows.append({"run_id": run_id, "study": study.name, **place, **_columns(each)})
    return rows


def _columns(pair: "PairTest") -> Row:
    return {
        "first_value": pair.first,
        "second_value": pair.second,
        "test": pair.test,
        "first_trials": pair.first_count,
        "second_trials": pair.second_count,
        "difference": pair.difference,
        "low": _number(pair.low),
        "high": _number(pair.high),
        "p_value": pair.p_value,
        "adjusted_p_value": pair.adjusted_p_value,
        "differs": pair.differs,
        "paired_p_value": _number(pair.other_p_value),
        "effect_size": _number(pair.effect),
        "effect_low": _number(pair.effect_low),
        "effect_high": _number(pair.effect_high),
        "smallest_p_value": pair.smallest_p_value,
        "detectable_difference": _number(pair.detectable),
        "repeats_needed": pair.needed,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


@task(
    name="hold against published",
    task_run_name="hold against published",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def compare_run_with_published(study: Study, run_id: str, trials: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a row for each published mean, band and claim; none for a study without.

    Args:
        study: The study, which names the published files.
        run_id: The run.
        trials: Its rows of `trials`.

    Raises:
        InputError: a published file cannot be read.
    """
    from study.conclusions import compare_with_published  # late, with SciPy and statsmodels

    if study.published is None:
        return []
    held = compare_with_published(study, read_cells(study, trials))
    rows = [_cell_row(study.published, each) for each in held.cells]
    rows += [_band_row(each) for each in held.bands]
    rows += [_claim_row(each) for each in held.claims]
    return [{"run_id": run_id, "study": study.name, **row} for row in rows]


def read_cells(study: Study, trials: Sequence[Mapping[str, Any]]) -> dict[Cell, dict[int, float]]:
    """Return test accuracies in percent by cell and seed; those of the kept candidate under None."""
    cells: dict[Cell, dict[int, float]] = {}
    for exercise in study.sweeps:
        for value, readings in read_sweep(exercise.number, trials).items():
            cells[exercise.number, value] = _percent(readings.test)
    kept = kept_candidate(study, trials)
    if study.optimum is not None and kept is not None:
        candidates = read_candidates(study.optimum.number, trials)
        cells[study.optimum.number, None] = _percent(candidates[kept].test)
    return cells


def _percent(readings: Mapping[int, float]) -> dict[int, float]:
    return {seed: 100 * accuracy for seed, accuracy in readings.items()}


def _cell_row(source: PublishedSource, cell: "CellAgreement") -> Row:
    row: Row = {
        "kind": "cell",
        "subject": cell.subject,
        "exercise": cell.published.exercise,
        "value": cell.published.value,
        "published_accuracy": cell.published.accuracy_pct / 100,
        "published_trials": cell.published.readings,
        "trials": cell.trials,
        "margin": source.margin / 100,
        "verdict": "not measured",
    }
    if cell.agreement is None or cell.mean is None:
        return row
    found = cell.agreement
    return row | {
        "mean_accuracy": cell.mean / 100,
        "difference": found.difference / 100,
        "low": _fraction(found.low),
        "high": _fraction(found.high),
        "verdict": found.verdict,
    }


def _band_row(band: BandVerdict) -> Row:
    return {
        "kind": "band",
        "subject": band.claim,
        "exercise": band.exercise,
        "allowed": band.allowed,
        "found": band.found,
        "verdict": band.verdict,
    }


def _claim_row(held: "HeldClaim") -> Row:
    return {
        "kind": "claim",
        "subject": held.claim,
        "exercise": held.exercise,
        "found": held.ours.reason,
        "verdict": held.ours.verdict,
        "published_verdict": held.theirs.verdict,
        "published_reason": held.theirs.reason,
    }


def _fraction(percent: float) -> float | None:
    return None if percent != percent else percent / 100


logger = logging.getLogger(__name__)


_COLUMNS = (
    "run_id", "exercise", "setting", "seed", "key", "status", "weights_sha256", "test_accuracy",
    *Setting.model_fields,
)  # fmt: skip


@task(name="compare nights", task_run_name="compare nights", cache_policy=NO_CACHE, persist_result=False)
def compare_nights(
    results: Results,
    context: RunContext,
    run_facts: RunFacts,
    dataset: Dataset,
    trials: Sequence[Row],
    trainings: Sequence[Row],
) -> list[Row]:
    """Return a row for each exercise: whether it agrees with earlier runs, and the changes in between.

    Args:
        results: The folder of the earlier runs.
        context: The run.
        run_facts: Machine and start of the run.
        dataset: The images in use.
        trials: The run's rows of `trials`.
        trainings: Its rows of `trainings`.
    """
    numbers = sorted({int(row["exercise"]) for row in trials})
    runs = _find_comparable(results, context, run_facts, numbers)
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
    provenance = describe_provenance(context, run_facts, dataset)
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
    results: Results, context: RunContext, run_facts: RunFacts, exercises: Sequence[int]
) -> pd.DataFrame:
    """Return earlier runs of study and protocol: of each exercise the latest that ran it, oldest first."""
    try:
        runs = list_runs(results)
    except InputError as damage:
        logger.warning("%s; this night is not compared", damage)
        return pd.DataFrame({"run_id": []})
    is_earlier = (runs["started_at"] < run_facts.started_at) & (runs["run_id"] != context.run_id)
    is_same = (runs["study"] == context.study.name) & (runs["protocol"] == context.study.protocol)
    earlier = runs[is_earlier & is_same]
    ran = earlier["exercises"].str.split(",")
    wanted = {
        run_id
        for number in exercises
        for run_id in earlier.loc[ran.map(lambda each, n=str(number): n in each), "run_id"].tail(MAX_RUNS)
    }
    return earlier[earlier["run_id"].isin(wanted)]


def _reading(row: Mapping[Any, Any]) -> NightReading:
    done = row["status"] == Status.COMPLETED
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
    """Return a setting's parameters as one text."""
    return read_setting(row).model_dump_json()


def _provenance(row: Mapping[Any, Any]) -> Provenance:
    known = {name: row[name] for name in Provenance.model_fields if not pd.isna(row[name])}
    missing = dict.fromkeys(Provenance.model_fields.keys() - known.keys())
    return Provenance.model_validate({**missing, **known, "versions": json.loads(row["versions"])})


def _verdict_columns(
    context: RunContext, verdict: Verdict, changes: tuple[Change, ...], is_dirty: bool
) -> Row:
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
    """Return accuracy and time of one exercise, from its trials and all the run's trainings."""
    by_setting: dict[str, list[float]] = {}
    for row in trials:
        if row["status"] == Status.COMPLETED:
            by_setting.setdefault(str(row["setting"]), []).append(float(row["test_accuracy"]))
    means = [fmean(readings) for readings in by_setting.values()]
    keys = {row["key"] for row in trials}
    return {
        "mean_accuracy": fmean(means) if means else None,
        "best_accuracy": max(means, default=None),
        "lane_seconds": sum(float(row["lane_seconds"]) for row in trainings if row["key"] in keys),
    }
