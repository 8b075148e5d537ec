"""Runs that look real and ended some days ago: rows, report, figure, what was asked; and kept trainings."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from storage.results import Results
from storage.run_starts import save_start
from storage.tables.published import RunTables, publish
from storage.trainings import hash_weights, save_training
from study.spec.run_start import RunStart
from tests import simulated
from tests.rows import make_record, make_training
from tests.small_run import changed, make_tables, with_run_id

NOW = datetime.now(UTC)


@cache
def _template() -> RunTables:
    tables = make_tables()
    few = {name: getattr(tables, name)[:3] for name in ("trials", "trainings", "epochs", "summary")}
    return replace(tables, **few)


def begin_run(results: Results, days: float, study: str = "lab", number: int = 0) -> str:
    """Write down what a run was asked that began so many days ago; return its id."""
    begun = NOW - timedelta(days=days)
    run_id = f"{begun:%Y%m%dT%H%M%SZ}-{study}-{number:08x}"
    save_start(results, RunStart(run_id=run_id, study=study, started_at=begun))
    then = begun.timestamp()
    os.utime(results.start(run_id), (then, then))
    return run_id


def end_run(
    results: Results,
    days: float,
    study: str = "lab",
    number: int = 0,
    keys: Sequence[str] = (),
    **row: object,
) -> str:
    """Leave all that a run leaves that ended so many days ago, and read these trainings; return its id."""
    run_id, ended = begin_run(results, days, study, number), NOW - timedelta(days=days)
    times = {"started_at": ended - timedelta(minutes=40), "finished_at": ended}
    tables = with_run_id(_template(), run_id)
    trials = [changed(tables.trials[0], key=key) for key in keys] or tables.trials
    publish(
        results, replace(tables, run=changed(tables.run, **{"study": study, **times, **row}), trials=trials)
    )
    results.figures(run_id).mkdir(parents=True)
    (results.figures(run_id) / "accuracy.png").write_bytes(os.urandom(2000))
    results.report(run_id).write_text(f"the report of {run_id}")
    return run_id


def keep_training(results: Results, seed: int, days: float = 0, run_id: str = "gone") -> str:
    """Keep a simulated training, of no other run, that was finished this many days ago; return its key."""
    training = make_training(seed, filters=7)
    record = make_record(training, simulated.train(training.hyperparameters, seed)[:2], run_id)
    ended = record.segments[0].model_copy(update={"finished_at": NOW - timedelta(days=days)})
    update = {"segments": (ended,), "kept_weights": (), "optimizer_sha256": hash_weights([])}
    save_training(results, record.model_copy(update=update), {}, [])
    return training.key


def read_everything(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its name in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
