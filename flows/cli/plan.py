"""The command `study plan`: predict what a run would train, read and cost, without training anything."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
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
from flows.shown import print_table
from study.errors import InputError
from study.plan import Forecast, FurtherTrainings, Job, Plan, key_of
from study.spec import Study
from study.wording import count, duration, shown
from tasks.training import compare_sharing, make_predictor, plan_ahead, predict, refer_to_data

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
    if lanes is not None and not 1 <= lanes <= MAX_PLANNED_LANES:
        value = f"{lanes:,}" if abs(lanes) < 10**18 else shown(lanes)
        raise InputError(f"--lanes: {value} is not allowed; give 1 to {MAX_PLANNED_LANES:,}, or leave it out")
    asked = {"lanes_per_gpu": lanes_per_gpu, "fresh": fresh, "engine": engine, "scheduler": scheduler}
    # The lanes of this machine measure their speed, for any requested number of lanes.
    request = check_request(read_options(study, results, exercises, None, repeats, protocol, **asked))
    spec = request.study
    with make_lanes(request) as here:
        plan = plan_ahead(spec, here.kind, here.engine)
        predictor = make_predictor(spec, plan, refer_to_data(spec), request.results, here, fresh)
        forecast = predict(spec, plan, predictor, lanes or here.useful)
        lanes_here = len(here.devices)
    sharing = compare_sharing(spec, plan, predictor, forecast.lanes)
    planned = Planned(spec, plan, forecast, *sharing, predictor.costs.is_calibrated)
    if as_json:
        typer.echo(json.dumps(describe_plan(planned), indent=1))
    else:
        print_table(_draw_exercises(planned), 120)
        for line in _sentences(planned, lanes_here):
            typer.echo(line)


MANY_LANES = (1, 10, 100, 1000)
"""Numbers of lanes that a plan is simulated for, besides the requested number."""


@dataclass(frozen=True)
class ExerciseShare:
    """An exercise's share of a plan; a training counts for the first exercise that reads it."""

    exercise: int
    title: str
    trials: int
    trainings: int
    shared_trainings: int
    reused_trainings: int
    to_train: int
    epochs_asked: int
    epochs_to_run: int
    lane_seconds: float


@dataclass(frozen=True)
class Planned:
    """A study's plan, and all that is predicted of it."""

    study: Study
    plan: Plan
    forecast: Forecast
    from_nothing: Forecast
    """Its cost without kept trainings."""
    without_sharing: Forecast
    """The same with a training for each trial."""
    speed_is_measured: bool
    """Whether this machine's speed is known."""

    @property
    def lanes(self) -> list[int]:
        """Return the numbers of lanes to simulate."""
        return sorted({*MANY_LANES, self.forecast.lanes})

    @property
    def exercises(self) -> list[ExerciseShare]:
        """Return the share of each exercise."""
        jobs = {job.training.key: job for job in self.forecast.jobs}
        seen: set[str] = set()
        shares = []
        for exercise in self.study.exercises:
            trials = [trial for trial in self.plan.trials if trial.exercise == exercise.number]
            keys = list(dict.fromkeys(key_of(trial, self.plan.source) for trial in trials))
            own = [jobs[key] for key in keys if key not in seen]
            seen.update(keys)
            shares.append(
                ExerciseShare(
                    exercise=exercise.number,
                    title=exercise.title,
                    trials=len(trials),
                    trainings=len(keys),
                    shared_trainings=len(keys) - len(own),
                    reused_trainings=sum(job.is_reused for job in own),
                    to_train=sum(not job.is_reused for job in own),
                    epochs_asked=sum(trial.setting.epochs for trial in trials),
                    epochs_to_run=sum(job.epochs for job in own),
                    lane_seconds=round(sum(job.seconds for job in own), 1),
                )
            )
        return shares


Described = dict[str, Any]
"""A part of the JSON."""


def describe_plan(planned: Planned) -> Described:
    """Return the content of the JSON: everything `study plan` knows, in seconds, epochs and bytes."""
    study, plan, forecast = planned.study, planned.plan, planned.forecast
    low, high = forecast.interval
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
        "speed_is_measured": planned.speed_is_measured,
        "combination": _describe_combination(forecast),
        "search": _describe_later(forecast.search),
        "finalists": _describe_later(forecast.finals),
        "from_nothing": _describe_total(planned.from_nothing),
        "without_sharing": _describe_total(planned.without_sharing),
        "on_lanes": [_describe_lanes(forecast, number) for number in planned.lanes],
        "exercises": [asdict(share) for share in planned.exercises],
        "training_list": [
            _describe_job(job, list(plan.exercises[job.training.key])) for job in forecast.jobs
        ],
    }


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


def _draw_exercises(planned: Planned) -> Table:
    table = Table(title=f"plan of {planned.study.name}", show_footer=True)
    shares = planned.exercises
    for name, heading in _COLUMNS.items():
        total = (
            "" if name in ("exercise", "title") else _cell(name, sum(getattr(each, name) for each in shares))
        )
        table.add_column(heading, total, justify="left" if name == "title" else "right")
    table.columns[3].footer = str(len(planned.plan.trainings))  # the exercises' trainings overlap
    table.columns[4].footer = ""
    for each in shares:
        table.add_row(*(_cell(name, getattr(each, name)) for name in _COLUMNS))
    return table


def _cell(name: str, value: Any) -> str:
    return duration(value) if name == "lane_seconds" else escape(str(value))  # a title may have brackets


def _sentences(planned: Planned, lanes_here: int) -> list[str]:
    plan, forecast = planned.plan, planned.forecast
    waiting = len(plan.trainings) - forecast.reused
    stops = forecast.most_epochs - forecast.epochs_to_run
    low, high = map(_time, forecast.interval)
    lanes = count(forecast.lanes, "lane")
    lines = [
        f"{count(len(plan.trials), 'trial')} read {count(len(plan.trainings), 'training')}: "
        f"{forecast.reused} from earlier runs, {waiting} to train, {count(forecast.epochs_to_run, 'epoch')}"
        + (f" (early stopping is expected to save {stops} more)" if stops else ""),
        *_combination_sentence(forecast.later),
        *_search_sentences(forecast),
        f"without sharing: {_total_sentence(planned.without_sharing)}; "
        f"with it, from nothing: {_total_sentence(planned.from_nothing)}",
        f"memory: at most about {forecast.peak_bytes / 1e9:.1f} GB for {lanes}",
        *(_lanes_sentence(forecast, number) for number in planned.lanes),
        f"predicted: {_time(forecast.wall_seconds)} on {lanes} (95%: {low} to {high})",
    ]
    if not planned.speed_is_measured:
        lines.append("this machine's speed is not measured yet: the prediction is from another machine's")
    if forecast.lanes > lanes_here:
        lines.append(f"this machine has devices for {count(lanes_here, 'lane')}; more would share them")
    return lines


def _combination_sentence(later: FurtherTrainings) -> list[str]:
    if not later.trainings:
        return []
    spent = _time(sum(later.seconds)) if later.seconds else "read from an earlier run"
    about = "" if later.training else "about "
    name = count(later.trainings, "training")
    return [f"after the sweeps: {name} of the combination of best values, {about}{spent}"]


def _search_sentences(forecast: Forecast) -> list[str]:
    search, finals = forecast.search, forecast.finals
    lines = []
    if search.trainings:
        lines.append(
            f"the search: {count(search.trainings, 'training')} to begin, most of them stopped early, "
            f"about {_time(sum(search.seconds))} of a lane"
        )
    if finals.trainings:
        spent = f"about {_time(sum(finals.seconds))} of a lane"
        told = spent if finals.seconds else "read from earlier runs"
        lines.append(f"its finalists: {count(finals.trainings, 'training')} with fresh seeds, {told}")
    return lines


def _total_sentence(total: Forecast) -> str:
    return (
        f"{count(len(total.jobs), 'training')}, {count(total.epochs_to_run, 'epoch')}, "
        f"{_time(total.wall_seconds)}"
    )


def _lanes_sentence(forecast: Forecast, lanes: int) -> str:
    mark = " <- asked" if lanes == forecast.lanes else ""
    return (
        f"{lanes:>6,} {'lane ' if lanes == 1 else 'lanes'}: "
        f"{_time(forecast.wall_seconds_on(lanes)):>12}, "
        f"trainings {_time(forecast.makespan_on(lanes)):>12} "
        f"(cannot be below {_time(forecast.bound_on(lanes))}){mark}"
    )


def _time(seconds: float) -> str:
    return duration(round(seconds, 1))  # as in the JSON
