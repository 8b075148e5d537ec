"""The command `study plan`: predict what a run would train, read and cost, without training anything."""

import json
from collections import defaultdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.cli.options import (
    EngineOption,
    ExercisesOption,
    FreshOption,
    LanesPerGpuOption,
    ProtocolOption,
    RepeatsOption,
    ResultsOption,
    SchedulerOption,
    StudyArgument,
    read_options,
)
from flows.prepare import check_request, make_lanes
from study.errors import InputError
from study.plan import Forecast, FurtherTrainings, Job, Plan, key_of
from study.spec import Study
from study.wording import count, duration, shown
from tasks.data import refer_to_dataset
from tasks.training import compare_sharing, make_predictor, plan_study, predict

MAX_PLANNED_LANES = 1_000_000
"""Most lanes of a plan; they may belong to any number of machines."""


def plan_command(
    study: StudyArgument = "lab",
    results: ResultsOption = "results",
    lanes: Annotated[
        int | None,
        typer.Option(
            "--lanes", metavar="N", help="Lanes, here or elsewhere. Default: those of this machine."
        ),
    ] = None,
    lanes_per_gpu: LanesPerGpuOption = 1,
    exercises: ExercisesOption = "",
    repeats: RepeatsOption = None,
    protocol: ProtocolOption = None,
    fresh: FreshOption = False,
    engine: EngineOption = "auto",
    scheduler: SchedulerOption = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, with every training.")
    ] = False,
) -> None:
    """Say what a run would train and what it would cost; train nothing.

    Trials that can share a training are compiled to one; what earlier runs have trained is not trained again.
    The time is predicted from the times of earlier runs. If this machine's speed is not known yet, a few
    steps of each shape are measured first, for long studies only (some twenty seconds, once).
    """
    _check_lanes(lanes)
    asked = {"lanes_per_gpu": lanes_per_gpu, "fresh": fresh, "engine": engine, "scheduler": scheduler}
    options = read_options(study, results, exercises, None, repeats, protocol, **asked)
    # The lanes of this machine measure their speed, for any requested number of lanes.
    request = check_request(options.model_copy(update={"lanes": 0}))
    spec = request.study
    data = refer_to_dataset().first(spec.data.train_images, spec.data.test_images)
    with make_lanes(request) as here:
        plan = plan_study.fn(spec, data, here.kind, here.engine)
        predictor = make_predictor(spec, plan, request.results, here, fresh)
        forecast = predict(spec, plan, predictor, lanes or here.useful)
        lanes_here = len(here.devices)
    sharing = compare_sharing(spec, plan, predictor, forecast.lanes)
    described = describe_plan(spec, plan, forecast, sharing, predictor.costs.is_calibrated)
    if as_json:
        typer.echo(json.dumps(described, indent=1))
    else:
        print_plan(described, lanes_here)


def _check_lanes(lanes: int | None) -> None:
    """Refuse a number of lanes outside the allowed range.

    Raises:
        InputError: it is below 1 or above `MAX_PLANNED_LANES`.
    """
    if lanes is not None and not 1 <= lanes <= MAX_PLANNED_LANES:
        value = f"{lanes:,}" if abs(lanes) < 10**18 else shown(lanes)
        raise InputError(f"--lanes: {value} is not allowed; give 1 to {MAX_PLANNED_LANES:,}, or leave it out")


Described = dict[str, Any]

MANY_LANES = (1, 10, 100, 1000)
"""Numbers of lanes that a plan is simulated for, besides the requested number."""


def describe_plan(
    study: Study, plan: Plan, forecast: Forecast, sharing: tuple[Forecast, Forecast], calibrated: bool
) -> Described:
    """Describe everything `study plan` knows, in seconds, epochs and bytes.

    Args:
        study: The study.
        plan: Its plan.
        forecast: The predicted cost of the plan.
        sharing: Its cost from nothing, with trials sharing trainings and without.
        calibrated: True if this machine's speed is known.
    """
    low, high = forecast.interval
    readers = _list_readers(plan)
    lanes = sorted({*MANY_LANES, forecast.lanes})
    return {
        "study": study.name,
        "protocol": study.protocol,
        "lanes": forecast.lanes,
        "device": plan.source.device,
        "engine": plan.source.engine,
        "trials": len(plan.trials),
        "trainings": len(plan.trainings),
        "reused_trainings": forecast.reused,
        "epochs_asked": plan.epochs_asked,
        "epochs_to_run": forecast.epochs_to_run,
        "epochs_to_run_at_most": forecast.most_epochs,
        "predicted_seconds": round(forecast.wall_seconds, 1),
        "predicted_low_seconds": round(low, 1),
        "predicted_high_seconds": round(high, 1),
        "lane_seconds": round(forecast.lane_seconds, 1),
        "makespan_seconds": round(forecast.makespan, 1),
        "makespan_bound_seconds": round(forecast.bound, 1),
        "peak_bytes": forecast.peak_bytes,
        "speed_is_measured": calibrated,
        "combination": _describe_combination(forecast),
        "search": _describe_later(forecast.search),
        "finalists": _describe_later(forecast.finals),
        "from_nothing": _describe_total(sharing[0]),
        "without_sharing": _describe_total(sharing[1]),
        "on_lanes": [_describe_lanes(forecast, number) for number in lanes],
        "exercises": _describe_exercises(study, plan, forecast),
        "training_list": [_describe_job(job, readers[job.training.key]) for job in forecast.jobs],
    }


def print_plan(described: Described, lanes_here: int) -> None:
    """Print a described plan as tables and sentences."""
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(_draw_exercises(described))
    for line in _sentences(described, lanes_here):
        typer.echo(line)


def _list_readers(plan: Plan) -> dict[str, list[int]]:
    readers: dict[str, set[int]] = defaultdict(set)
    for trial in plan.trials:
        readers[key_of(trial, plan.source)].add(trial.exercise)
    return {key: sorted(numbers) for key, numbers in readers.items()}


def _describe_total(forecast: Forecast) -> Described:
    return {
        "trainings": len(forecast.jobs),
        "epochs_to_run": forecast.epochs_to_run,
        "epochs_to_run_at_most": forecast.most_epochs,
        "lane_seconds": round(forecast.lane_seconds, 1),
        "predicted_seconds": round(forecast.wall_seconds, 1),
    }


def _describe_later(later: FurtherTrainings) -> Described:
    return {
        "trainings": later.trainings,
        "to_train": len(later.seconds),
        "lane_seconds": round(sum(later.seconds), 1),
    }


def _describe_combination(forecast: Forecast) -> Described:
    later = forecast.later
    return {
        **_describe_later(later),
        "hyperparameters": later.training.hyperparameters.model_dump() if later.training else None,
        "epochs": later.training.most_epochs if later.training else None,
    }


def _describe_lanes(forecast: Forecast, lanes: int) -> Described:
    return {
        "lanes": lanes,
        "predicted_seconds": round(forecast.wall_seconds_on(lanes), 1),
        "makespan_seconds": round(forecast.makespan_on(lanes), 1),
        "makespan_bound_seconds": round(forecast.bound_on(lanes), 1),
    }


def _describe_job(job: Job, exercises: list[int]) -> Described:
    training = job.training
    return {
        "key": training.key,
        "training": training.label,
        "hyperparameters": training.hyperparameters.model_dump(),
        "seed": training.seed,
        "epochs": job.epochs,
        "epochs_at_most": job.most_epochs,
        "kept_epochs": job.kept_epochs,
        "kept_from": job.kept.segments[-1].run_id if job.kept else None,
        "predicted_seconds": round(job.seconds, 2),
        "exercises": exercises,
    }


def _describe_exercises(study: Study, plan: Plan, forecast: Forecast) -> list[Described]:
    """Describe each exercise's share; a training counts for the first exercise that reads it."""
    jobs = {job.training.key: job for job in forecast.jobs}
    seen: set[str] = set()
    described = []
    for exercise in study.exercises:
        trials = [trial for trial in plan.trials if trial.exercise == exercise.number]
        keys = list(dict.fromkeys(key_of(trial, plan.source) for trial in trials))
        own = [jobs[key] for key in keys if key not in seen]
        seen.update(keys)
        described.append(
            {
                "exercise": exercise.number,
                "title": exercise.title,
                "trials": len(trials),
                "trainings": len(keys),
                "shared_trainings": len(keys) - len(own),
                "reused_trainings": sum(job.is_reused for job in own),
                "to_train": sum(not job.is_reused for job in own),
                "epochs_asked": sum(trial.setting.epochs for trial in trials),
                "epochs_to_run": sum(job.epochs for job in own),
                "lane_seconds": round(sum(job.seconds for job in own), 1),
            }
        )
    return described


_COLUMNS = {
    "exercise": "ex.",
    "title": "title",
    "trials": "trials",
    "trainings": "trainings",
    "shared_trainings": "shared with\nthose above",
    "reused_trainings": "read from\nearlier runs",
    "to_train": "to train",
    "epochs_asked": "epochs\nasked",
    "epochs_to_run": "epochs\nto run",
    "lane_seconds": "lane time",
}


def _draw_exercises(described: Described) -> Table:
    table = Table(title=f"plan of {described['study']}", show_footer=True)
    rows = described["exercises"]
    for name, heading in _COLUMNS.items():
        total = "" if name in ("exercise", "title") else _cell(name, sum(row[name] for row in rows))
        table.add_column(heading, total, justify="left" if name == "title" else "right")
    table.columns[3].footer = str(described["trainings"])  # the exercises' trainings overlap
    table.columns[4].footer = ""
    for row in rows:
        table.add_row(*(_cell(name, row[name]) for name in _COLUMNS))
    return table


def _cell(name: str, value: Any) -> str:
    return duration(value) if name == "lane_seconds" else escape(str(value))  # a title may have brackets


def _sentences(described: Described, lanes_here: int) -> list[str]:
    waiting = described["trainings"] - described["reused_trainings"]
    stops = described["epochs_to_run_at_most"] - described["epochs_to_run"]
    lines = [
        f"{count(described['trials'], 'trial')} read {count(described['trainings'], 'training')}: "
        f"{described['reused_trainings']} from earlier runs, {waiting} to train, "
        f"{count(described['epochs_to_run'], 'epoch')}"
        + (f" (early stopping is expected to save {stops} more)" if stops else ""),
        *_combination_sentence(described),
        *_search_sentences(described),
        f"without sharing: {_total_sentence(described['without_sharing'])}; "
        f"with it, from nothing: {_total_sentence(described['from_nothing'])}",
        f"memory: at most about {described['peak_bytes'] / 1e9:.1f} GB for {_lanes(described['lanes'])}",
        *(_lanes_sentence(each, described["lanes"]) for each in described["on_lanes"]),
        f"predicted: {duration(described['predicted_seconds'])} on {_lanes(described['lanes'])} "
        f"(95%: {duration(described['predicted_low_seconds'])} to "
        f"{duration(described['predicted_high_seconds'])})",
    ]
    if not described["speed_is_measured"]:
        lines.append("this machine's speed is not measured yet: the prediction is from another machine's")
    if described["lanes"] > lanes_here:
        lines.append(f"this machine has devices for {_lanes(lanes_here)}; more would share them")
    return lines


def _combination_sentence(described: Described) -> list[str]:
    later = described["combination"]
    if not later["trainings"]:
        return []
    name = count(later["trainings"], "training")
    if later["hyperparameters"] is None:
        text = f"of the combination of best values, about {duration(later['lane_seconds'])}"
    elif later["to_train"] == 0:
        text = "of the combination of best values, read from an earlier run"
    else:
        text = f"of the combination of best values, {duration(later['lane_seconds'])}"
    return [f"after the sweeps: {name} {text}"]


def _search_sentences(described: Described) -> list[str]:
    search, finals = described["search"], described["finalists"]
    lines = []
    if search["trainings"]:
        lines.append(
            f"the search: {count(search['trainings'], 'training')} to begin, most of them stopped early, "
            f"about {duration(search['lane_seconds'])} of a lane"
        )
    if finals["trainings"]:
        spent = f"about {duration(finals['lane_seconds'])} of a lane"
        told = spent if finals["to_train"] else "read from earlier runs"
        lines.append(f"its finalists: {count(finals['trainings'], 'training')} with fresh seeds, {told}")
    return lines


def _total_sentence(total: Described) -> str:
    return (
        f"{count(total['trainings'], 'training')}, {count(total['epochs_to_run'], 'epoch')}, "
        f"{duration(total['predicted_seconds'])}"
    )


def _lanes_sentence(each: Described, asked: int) -> str:
    mark = " <- asked" if each["lanes"] == asked else ""
    return (
        f"{each['lanes']:>6,} {'lane ' if each['lanes'] == 1 else 'lanes'}: "
        f"{duration(each['predicted_seconds']):>12}, trainings {duration(each['makespan_seconds']):>12} "
        f"(cannot be below {duration(each['makespan_bound_seconds'])}){mark}"
    )


def _lanes(number: int) -> str:
    return count(number, "lane")
