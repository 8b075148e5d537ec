"""Hold a run against its study's published readings: the rows of the table `agreement`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.bands import BandVerdict, Cell
from study.published import PublishedSource
from study.spec import Study
from tasks.readings_of import kept_candidate, read_candidates, read_sweep

if TYPE_CHECKING:
    from study.replication import CellAgreement, HeldClaim

Row = dict[str, Any]


@task(
    name="hold against published",
    task_run_name="hold against published",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def hold_run_against_published(study: Study, run_id: str, trials: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One row for each published mean, band and claim; none for a study without.

    Args:
        study: The study, which names what was published.
        run_id: The run.
        trials: Its rows of `trials`.

    Raises:
        InputError: a published file cannot be read.
    """
    from study.replication import hold_against_published  # late, with SciPy and statsmodels

    if study.published is None:
        return []
    held = hold_against_published(study, read_cells(study, trials))
    rows = [_cell_row(study.published, each) for each in held.cells]
    rows += [_band_row(each) for each in held.bands]
    rows += [_claim_row(each) for each in held.claims]
    return [{"run_id": run_id, "study": study.name, **row} for row in rows]


def read_cells(study: Study, trials: Sequence[Mapping[str, Any]]) -> dict[Cell, dict[int, float]]:
    """Test accuracies in percent by cell and seed; those of the kept candidate under None."""
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
