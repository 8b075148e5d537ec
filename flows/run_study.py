"""The DAG: load data, draw, plan, train on lanes, aggregate, find the optimum, publish, export, report.

At its end, what started a run (schedule, person or command line): its name, and whether it is too late.
"""

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PureWindowsPath
from typing import Any

from coolname.data import config as coolname_words
from prefect import flow, runtime
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.conclude import Work, conclude_run
from flows.deletion import ended_if_deleted
from flows.prepare import (
    Prepared,
    Request,
    RunParameters,
    check_request,
    executing,
    handed_over,
    import_ahead,
    in_words_of_form,
    make_lanes,
    read_duration,
    read_parameters,
)
from flows.shown import ProgressArtifact, ProgressView, list_verdicts, tag_flow_run
from flows.sweep import Sweep, search_optimum, submit
from storage.tables import RunTables
from study.conclusions import shorten_verdicts
from study.errors import InputError
from study.plan import compile_plan
from study.spec import RunOptions
from study.status import RunStatus
from study.wording import duration
from tasks.data import draw_first_images
from tasks.engines import read_commit
from tasks.lanes import Lanes
from tasks.optimum import choose_finalists, combine_best
from tasks.tables import FIRST_NINE, RunContext, RunFacts, aggregate_trials
from tasks.training import forecast_plan, load_data, plan_study, predict_jobs

DEFAULTS = RunParameters()

_NAMES = {"schedule": "scheduled", "ui": "by hand", "command line": "command line"}
"""Words for the trigger in the name of a flow run."""

for package in ("flows", "tasks", "storage", "study"):
    # Prefect's `extra_loggers` puts these into the run's log in the UI, but only if they let INFO pass.
    logging.getLogger(package).setLevel(logging.INFO)


def is_fault(record: logging.LogRecord) -> bool:
    """Say whether a log record with a traceback is about a fault; for the others their state is enough."""
    return not (record.exc_info and isinstance(record.exc_info[1], InputError | StoppedEarly))


for each in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(each).addFilter(is_fault)


def name_run() -> str:
    """Return the name of the flow run that begins."""
    try:
        parameters = read_parameters(runtime.flow_run.get_parameters().get("run", {}))
    except InputError:
        parameters = None  # the flow itself reports what is wrong with them
    return describe_run(_flow_run(), parameters)


def _flow_run() -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None  # a flow that runs has one
    return context.flow_run


@flow(
    name="study",
    flow_run_name=name_run,
    # The threads wait for lanes, which do the work. Prefect's runner types are invariant.
    task_runner=ThreadPoolTaskRunner[Any](max_workers=1000),  # type: ignore[arg-type]
    persist_result=False,
    validate_parameters=False,  # we validate in the flow, to give the messages of the command line
)
def run_study(run: RunParameters = DEFAULTS) -> State[str]:
    """Run a study: its exercises, tables, figures, model and report.

    Args:
        run: What to run, on what, and where results go.

    Returns:
        A state whose data is the run's id and whose message counts trials and failures; failed if the run
        stopped early or its input is wrong, cancelled if the schedule started it too late. A retry of a flow
        run resumes its run.

    Raises:
        InputError: as the data of the failed state: a parameter or the dataset is wrong; nothing was trained.
        ResultsUnwritable: a finished training cannot be kept.
    """
    prepared, flow_run = handed_over.get(), _flow_run()
    tag_flow_run()
    try:
        if prepared is None:
            parameters = read_parameters(run)
            late = why_too_late(flow_run, parameters, datetime.now(UTC))
            if late is not None:
                return Cancelled(name="Skipped", message=late)
            request = check_request(parameters, str(flow_run.id))
            prepared = Prepared(request, make_lanes(request))
        request = prepared.request.executed_by(str(flow_run.id))
        tag_flow_run(request.study)
        with executing(request), ended_if_deleted(flow_run, request), prepared.lanes as lanes:
            progress = ProgressArtifact()
            tables = run_steps(request, lanes, [progress, *prepared.views])
            progress.remove()
    except InputError as error:
        return Failed(message=in_words_of_form(str(error)), data=error)
    return end_state(tables)


def run_steps(request: Request, lanes: Lanes, views: Sequence[ProgressView]) -> RunTables:
    """Run every step of the DAG and return the published tables."""
    study, results, run_id = request.study, request.results, request.run_id

    dataset = submit(load_data, study, request.data_folder)
    sheet = (
        submit(draw_first_images, dataset, results.figures(run_id) / f"{FIRST_NINE}.png")
        if study.images
        else None
    )
    plan = submit(plan_study, study, dataset, lanes.kind, lanes.engine)
    data, planned = dataset.result(), plan.result()  # in this order: see below
    forecast = submit(
        forecast_plan, study, plan, dataset, results, lanes, request.fresh, request.budget_seconds
    )

    sweep = Sweep(request, data, lanes, planned.source, forecast.result(), views)
    import_ahead()  # not sooner: the forecast measures the lanes' speed
    context = RunContext(run_id, study, planned.source, read_commit().name)
    trained = sweep.train(forecast.result().jobs, planned.exercises, after=forecast, trials=planned.trials)
    swept = submit(aggregate_trials, context, planned.trials, sweep.outcomes, "sweeps", wait_for=trained)

    combination = submit(combine_best, study, swept)
    search = search_optimum(request, planned.source, lanes, sweep, forecast.result(), after=combination)
    finalists = submit(choose_finalists, search.state, wait_for=search.trained) if search else None
    found = finalists.result() if finalists else ()
    further = compile_plan(study, (*combination.result(), *found), planned.source)
    last = predict_jobs(study, further, results, lanes, request.fresh)
    trained += sweep.train(last, further.exercises, after=finalists or combination, later=())
    every_trial = (*planned.trials, *further.trials)
    trials = submit(aggregate_trials, context, every_trial, sweep.outcomes, "all trials", wait_for=trained)
    run_facts = RunFacts(
        request.start.started_at,
        request.begun,
        request.start.resumed,
        lanes.most,
        lanes.kind,
        request.start.flow_run_id,
        forecast.result(),
        sweep.makespan_seconds,
        sweep.makespan_bound_seconds,
        sweep.failures.too_many,
        trigger=trigger_of(_flow_run()),
        parameters=request.start.model_dump_json(include=set(RunOptions.model_fields)),
        devices=json.dumps(lanes.describe()),
        processor=lanes.processor,
        versions=lanes.versions,
    )
    state = search.state if search else None
    work = Work(request, lanes, context, run_facts, dataset, sheet, sweep.outcomes, trained, trials, state)
    with sweep.concluding():
        return conclude_run(work)


class StoppedEarly(RuntimeError):
    """Too many trainings failed; the finished ones are published."""


def end_state(tables: RunTables) -> State[str]:
    """Return the state in which the flow run of a published run ends, with its outcome in a sentence."""
    run = tables.run
    message = "nothing to train in the chosen exercises; the report is written"
    if run.trials:
        best = max(
            (row.mean_accuracy for row in tables.summary if row.mean_accuracy is not None), default=None
        )
        outcome = "no result" if best is None else f"best {100 * best:.1f}%"
        failed = f"{run.failed_trials} failed" + (f" ({run.failures})" if run.failed_trials else "")
        verdicts = list_verdicts(tables)
        compared = f"; against earlier runs: {shorten_verdicts(verdicts)}" if verdicts else ""
        message = f"{run.trials} trials, {failed}, {outcome}{compared}"
    if run.status == RunStatus.STOPPED_EARLY:
        return Failed(name="Stopped early", message=message, data=StoppedEarly(message))
    name = "Completed" if run.failed_trials == 0 else "Completed with failures"
    return Completed(name=name, message=message, data=run.run_id)


def describe_run(run: FlowRun, parameters: RunParameters | None) -> str:
    """Return the name that a person gave, or one with study, date and trigger: "lab 2026-03-01 02:00 UTC,
    scheduled".
    """
    if not is_made_up(run.name):
        return run.name
    when = run.expected_start_time or datetime.now(UTC)
    study = (
        "study" if parameters is None else PureWindowsPath(parameters.source).stem
    )  # it takes both slashes
    return f"{study} {when:%Y-%m-%d %H:%M} UTC, {_NAMES[trigger_of(run)]}"


_STAR = re.compile(
    "(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|omicron|pi|rho|sigma|tau|upsilon"
    r"|phi|chi|psi|omega)\d*-.+"
)


def is_made_up(name: str) -> bool:
    """Say whether Prefect made up a run's name: its server from coolname's words, such as
    "bipedal-kingfisher", its form from stars, such as "kappa6-mendeleev".
    """
    lists: Any = coolname_words.values()
    words = {word for each in lists for word in each.get("words", ())}
    parts = name.split("-")
    return bool(_STAR.fullmatch(name)) or (len(parts) == 2 and words.issuperset(parts))


def trigger_of(run: FlowRun) -> str:
    """Return a flow run's trigger: `schedule`, `ui` (by hand, Prefect's pages or API) or `command line`."""
    if run.auto_scheduled:
        return "schedule"
    return "command line" if run.deployment_id is None else "ui"


def why_too_late(run: FlowRun, parameters: RunParameters, now: datetime) -> str | None:
    """Say why a scheduled run is too late; None if it is not.

    Only the schedule's own first attempt can be too late: a person who retries a run wants it.

    Raises:
        InputError: the latest start is not a time.
    """
    if not parameters.latest_start:
        return None
    allowed = read_duration(parameters.latest_start, "--latest-start")
    due = run.expected_start_time
    if not run.auto_scheduled or run.run_count > 1 or due is None:
        return None
    late = (now - due).total_seconds()
    if late <= allowed:
        return None
    return (
        f"due at {due:%Y-%m-%d %H:%M} UTC, {duration(late)} late: skipped, as it may start "
        f"{duration(allowed)} late at most (parameter latest_start)"
    )
