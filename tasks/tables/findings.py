"""The rows of `comparisons`, `agreement`, `nights`: with each other, published values and earlier runs."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from statistics import fmean
from typing import TYPE_CHECKING

from storage.results import Results
from storage.tables import (
    AgreementRow,
    ComparisonRow,
    EpochRow,
    NightRow,
    RunRow,
    TrainingRow,
    TrialRow,
    list_runs,
    null_if_nan,
    read_rows,
)
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
from study.spec import Cell, PublishedSource, Study, SweepExercise
from study.status import Agreement, NightVerdict, Published, Status
from tasks.data import Dataset
from tasks.step import step
from tasks.tables.columns import columns_of
from tasks.tables.publish import RunFacts, describe_provenance
from tasks.tables.readings import kept_candidate, read_candidates, read_setting, read_sweep, read_trials
from tasks.tables.rows import RunContext

if TYPE_CHECKING:
    from study.conclusions import CellAgreement, HeldClaim
    from study.statistics import PairTest

logger = logging.getLogger(__name__)


@step("compare settings")
def compare_settings(study: Study, run_id: str, trials: Sequence[TrialRow]) -> list[ComparisonRow]:
    """Return a row for each pair of settings of a sweep that have two readings or more."""
    from study.statistics import compare_pairs  # late, with SciPy and statsmodels

    rows = []
    for exercise in study.sweeps:
        readings = {value: each.test for value, each in read_sweep(exercise.number, trials).items()}
        tests = compare_pairs(readings, exercise.reads_prefixes(study.baseline)).tests
        rows += [_pair_row(study, run_id, exercise, each) for each in tests]
    return rows


def _pair_row(study: Study, run_id: str, exercise: SweepExercise, pair: "PairTest") -> ComparisonRow:
    return ComparisonRow(
        run_id=run_id,
        study=study.name,
        exercise=exercise.number,
        parameter=exercise.varies,
        first_value=pair.first,
        second_value=pair.second,
        first_setting=exercise.setting_name(pair.first),
        second_setting=exercise.setting_name(pair.second),
        first_trials=pair.first_count,
        second_trials=pair.second_count,
        paired_p_value=null_if_nan(pair.other_p_value),
        effect_size=null_if_nan(pair.effect),
        detectable_difference=null_if_nan(pair.detectable),
        repeats_needed=pair.needed,
        **columns_of(pair, ComparisonRow),
    )


@step("compare with published")
def compare_run_with_published(
    study: Study, run_id: str, trials: Sequence[TrialRow], epochs: Sequence[EpochRow]
) -> list[AgreementRow]:
    """Return a row for each published mean, band and claim, and of all means; none for a study without.

    Raises:
        InputError: a published file cannot be read.
    """
    from study.conclusions import compare_with_published  # late, with SciPy and statsmodels

    if study.published is None:
        return []
    held = compare_with_published(study, read_cells(study, trials), read_best(study, trials, epochs))
    row = partial(AgreementRow, run_id=run_id, study=study.name)
    return [
        *(
            row(
                kind=Published.POOLED,
                verdict=Agreement.DIFFERS if each.differs else Agreement.UNDECIDED,
                **columns_of(each, AgreementRow),
            )
            for each in held.pooled
        ),
        *(_cell_row(row, study.published, each) for each in held.cells),
        *(
            row(kind=Published.BAND, subject=each.claim, **columns_of(each, AgreementRow))
            for each in held.bands
        ),
        *(_claim_row(row, each) for each in held.claims),
    ]


def read_cells(study: Study, trials: Sequence[TrialRow]) -> dict[Cell, Mapping[int, float]]:
    """Return test accuracies by cell and seed; those of the kept candidate under None."""
    cells: dict[Cell, Mapping[int, float]] = {}
    for exercise in study.sweeps:
        for value, readings in read_sweep(exercise.number, trials).items():
            cells[exercise.number, value] = readings.test
    kept = kept_candidate(study, trials)
    if study.optimum is not None and kept is not None:
        candidates = read_candidates(study.optimum.number, trials)
        cells[study.optimum.number, None] = candidates[kept].test
    return cells


def read_best(
    study: Study, trials: Sequence[TrialRow], epochs: Sequence[EpochRow]
) -> dict[Cell, Mapping[int, float]]:
    """Return the test accuracies of the sweeps' trials, had each ended at its best epoch on validation."""
    by_training: dict[str, list[EpochRow]] = {}
    for row in epochs:
        by_training.setdefault(row.key, []).append(row)
    best: dict[Cell, dict[int, float]] = {}
    numbers = {exercise.number for exercise in study.sweeps}
    for trial in trials:
        if trial.exercise in numbers and trial.epochs_run is not None:
            read = [row for row in by_training[trial.key] if row.epoch <= trial.epochs_run]
            top = max(read, key=lambda row: row.validation_accuracy)
            best.setdefault((trial.exercise, trial.value), {})[trial.seed] = top.test_accuracy
    return dict(best)


def _cell_row(
    asked: Callable[..., AgreementRow], source: PublishedSource, cell: "CellAgreement"
) -> AgreementRow:
    row = partial(
        asked,
        kind=Published.CELL,
        subject=cell.subject,
        exercise=cell.published.exercise,
        value=cell.published.value,
        published_accuracy=cell.published.accuracy,
        published_trials=cell.published.readings,
        trials=cell.trials,
        margin=source.margin,
    )
    found = cell.agreement
    if found is None:
        return row(verdict=Agreement.NOT_MEASURED)
    return row(mean_accuracy=cell.mean, **columns_of(found, AgreementRow))


def _claim_row(row: Callable[..., AgreementRow], held: "HeldClaim") -> AgreementRow:
    return row(
        kind=Published.CLAIM,
        subject=held.claim,
        exercise=held.exercise,
        found=held.ours.reason,
        published_verdict=held.theirs.verdict,
        published_reason=held.theirs.reason,
        **columns_of(held.ours, AgreementRow),
    )


@step("compare nights")
def compare_nights(
    results: Results,
    context: RunContext,
    run_facts: RunFacts,
    dataset: Dataset,
    trials: Sequence[TrialRow],
    trainings: Sequence[TrainingRow],
) -> list[NightRow]:
    """Return a row for each exercise: whether it agrees with earlier runs, and the changes in between."""
    numbers = sorted({row.exercise for row in trials})
    runs = {run.run_id: run for run in _find_comparable(results, context, run_facts, numbers)}
    earlier = groupby(read_rows(results, TrialRow, list(runs)), key=lambda row: row.run_id)
    nights = read_rows(results, NightRow, list(runs))
    verdicts = compare_night(
        [_reading(row) for row in trials],
        [[_reading(row) for row in rows] for _, rows in earlier],
        {(night.run_id, night.exercise) for night in nights if night.verdict == NightVerdict.DRIFTED},
        dataset.test_count,
    )
    provenance = describe_provenance(context, run_facts, dataset)
    rows = []
    for verdict in verdicts:
        before = runs[verdict.compared_with] if verdict.compared_with else None
        changes = name_changes(_provenance(before), provenance) if before else ()
        of_exercise = [row for row in trials if row.exercise == verdict.exercise]
        row = _night_row(context, verdict, changes, bool(provenance.git_dirty), of_exercise, trainings)
        rows.append(row)
        is_grave = verdict.name in (NightVerdict.DRIFTED, NightVerdict.NO_READING)
        logger.log(
            logging.WARNING if is_grave else logging.INFO, "exercise %d: %s", row.exercise, row.message
        )
    return rows


def _find_comparable(
    results: Results, context: RunContext, run_facts: RunFacts, exercises: Sequence[int]
) -> list[RunRow]:
    """Return earlier runs of study and protocol: of each exercise the latest that ran it, oldest first."""
    try:
        runs = list_runs(results)
    except InputError as damage:
        logger.warning("%s; this night is not compared", damage)
        return []
    study = context.study
    earlier = [
        run
        for run in runs
        if run.started_at < run_facts.started_at
        and run.run_id != context.run_id
        and (run.study, run.protocol) == (study.name, study.protocol)
    ]
    wanted = {
        run.run_id
        for number in exercises
        for run in [each for each in earlier if str(number) in each.exercises.split(",")][-MAX_RUNS:]
    }
    return [run for run in earlier if run.run_id in wanted]


def _reading(row: TrialRow) -> NightReading:
    done = row.status == Status.COMPLETED
    return NightReading(
        run_id=row.run_id,
        exercise=row.exercise,
        setting=row.setting,
        identity=read_setting(row).model_dump_json(),
        seed=row.seed,
        key=row.key,
        weights_sha256=row.weights_sha256 if done else None,
        accuracy=row.test_accuracy if done else None,
    )


def _provenance(run: RunRow) -> Provenance:
    recorded = run.model_dump(include=set(Provenance.model_fields))
    return Provenance(**recorded | {"versions": json.loads(run.versions)})


def _night_row(
    context: RunContext,
    verdict: Verdict,
    changes: tuple[Change, ...],
    is_dirty: bool,
    trials: Sequence[TrialRow],
    trainings: Sequence[TrainingRow],
) -> NightRow:
    """Return an exercise's row, from its verdict, its trials and all the run's trainings."""
    changed = describe_changes(verdict.name, verdict.compared_with, changes, is_dirty)
    settings = read_trials(trials).values()
    means = [fmean(read.accuracy for read in reads.values()) for reads in settings]
    keys = {row.key for row in trials}
    return NightRow(
        run_id=context.run_id,
        study=context.study.name,
        verdict=verdict.name,
        message=" ".join(filter(None, (describe_verdict(verdict), changed))),
        changes=None if verdict.compared_with is None else write_changes(changes),
        mean_accuracy=fmean(means) if means else None,
        best_accuracy=max(means, default=None),
        lane_seconds=sum(row.lane_seconds for row in trainings if row.key in keys),
        **columns_of(verdict, NightRow),
    )
