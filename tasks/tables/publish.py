"""Publish the tables of a run, and read them back."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from typing import Any

from storage.results import Results
from storage.tables import RunRow, RunTables, TrialRow, publish, read_run, update_history
from study.conclusions import Provenance
from study.plan import Forecast, describe_reasons
from study.status import RunStatus, Status
from tasks.data import Dataset
from tasks.engines import hash_lock, library_versions, processor_name, read_commit_again
from tasks.step import step
from tasks.tables.columns import columns_of
from tasks.tables.rows import Outcome, RunContext

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFacts:
    """Facts of a whole run, besides its results."""

    started_at: datetime
    begun: float
    """Seconds of the monotonic clock when this process began with the run."""
    resumed: int
    lanes: int
    device: str
    flow_run_id: str | None
    forecast: Forecast
    makespan_seconds: float
    makespan_bound_seconds: float
    stopped_early: str | None = None
    """Why the run stopped before attempting everything."""
    trigger: str | None = None
    """The trigger: `schedule`, `ui` or `command line`."""
    parameters: str | None = None
    """The request, as JSON."""
    devices: str | None = None
    """The device of each lane, as JSON."""
    processor: str = ""
    """The lanes' processor; empty for this machine's."""
    versions: Mapping[str, str] | None = None
    """Versions that take part in training on the lanes; None for this machine's."""


@step("publish tables")
def publish_run(
    results: Results,
    context: RunContext,
    run_facts: RunFacts,
    dataset: Dataset,
    outcomes: Mapping[str, Outcome],
    trials: Sequence[TrialRow],
    **tables: Sequence[Any],
) -> RunTables:
    """Write the tables, `runs` last, and return them as read back.

    `outcomes` are by key of the training, `tables` the rows of every table but `runs` and `trials`, by name.

    Raises:
        OSError: the results folder cannot be written to; the run stays invisible.
    """
    run = _run_row(context, run_facts, dataset, outcomes, trials)
    publish(results, RunTables(run, trials, **tables))
    try:
        update_history(results, context.run_id)
    except (OSError, TimeoutError) as error:  # the run is published nevertheless
        logger.warning("the history is not up to date: %s; `study compact` brings it up to date", error)
    return read_run(results, context.run_id)


def _run_row(
    context: RunContext,
    run_facts: RunFacts,
    dataset: Dataset,
    outcomes: Mapping[str, Outcome],
    trials: Sequence[TrialRow],
) -> RunRow:
    records = [outcome.record for outcome in outcomes.values() if outcome.record is not None]
    reasons = [str(row.reason) for row in trials if row.status == Status.FAILED]
    status = RunStatus.WITH_FAILURES if reasons else RunStatus.COMPLETED
    return _fact_row(context, run_facts, dataset)(
        status=RunStatus.STOPPED_EARLY if run_facts.stopped_early else status,
        trials=len(trials),
        failed_trials=len(reasons),
        failures="; ".join(filter(None, [run_facts.stopped_early, describe_reasons(reasons)])) or None,
        trainings=len(outcomes),
        reused_trainings=sum(not record.was_trained_by(context.run_id) for record in records),
        retried_trainings=sum(bool(outcome.failed_attempts) for outcome in outcomes.values()),
        epochs_asked=sum(row.epochs for row in trials),
        epochs_trained=sum(record.epochs_by(context.run_id) for record in records),
        lane_seconds=sum(outcome.lane_seconds(context.run_id) for outcome in outcomes.values()),
    )


def _fact_row(context: RunContext, run_facts: RunFacts, dataset: Dataset) -> Callable[..., RunRow]:
    """Return what makes the run's row, given what became of its trials and trainings."""
    provenance, forecast = describe_provenance(context, run_facts, dataset), run_facts.forecast
    low, high = forecast.interval
    versions = json.dumps(provenance.versions, sort_keys=True)
    return partial(
        RunRow,
        **columns_of(run_facts, RunRow) | provenance.model_dump() | {"versions": versions},
        run_id=context.run_id,
        study=context.study.name,
        protocol=context.study.protocol,
        finished_at=datetime.now(UTC),
        wall_seconds=time.monotonic() - run_facts.begun,  # a changed clock affects only the two times
        exercises=",".join(str(each.number) for each in context.study.exercises),
        train_images=dataset.train_count,
        test_images=dataset.test_count,
        data_source=dataset.source,
        predicted_seconds=forecast.wall_seconds,
        predicted_low_seconds=low,
        predicted_high_seconds=high,
        predicted_lane_seconds=forecast.lane_seconds,
    )


def describe_provenance(context: RunContext, run_facts: RunFacts, dataset: Dataset) -> Provenance:
    """Return every fact that may change this run's readings."""
    commit, engine = read_commit_again(), context.source.engine
    return Provenance(
        git_commit=commit.name,
        git_dirty=commit.dirty,
        git_diff_sha256=commit.diff_sha256,
        versions={
            **(run_facts.versions or library_versions(engine)),
            "prefect": metadata.version("prefect"),
        },
        data_fingerprint=dataset.fingerprint,
        device=run_facts.device,
        engine=engine,
        processor=run_facts.processor or processor_name(),
        lock_sha256=hash_lock(),
        study_definition=context.study.model_dump_json(),
    )
