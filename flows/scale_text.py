"""A study scaled to very many trials as plain data for `study plan --json`, and as text for people."""

import math
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from storage.address import is_local
from storage.place import Results
from study.errors import InputError
from study.forecast import Forecast
from study.kept_files import Files
from study.load import ON_DISK, ON_OBJECT_STORE, Part
from study.plan import Plan
from study.scale import FULL
from study.scaled_plan import Asked, ScaledPlan
from study.wording import count, duration, shown

MOST_PLANNED_LANES = 1_000_000
"""Lanes of a plan, which may be of any number of machines."""

MOST_PLANNED_TRIALS = 10_000_000
"""Trials of a scaled plan: ten times as many as docs/scale.md speaks of are simulated in a minute or two."""

_COUNTED = {
    Part.FLOW: "trainings/s",
    Part.PLACES: "at once",
    Part.SCHEDULER: "trainings/s",
    Part.STORE: "trainings/s",
    Part.SERVER: "task runs/s",
}

_REMEDIES = {
    Part.FLOW: "split the study over several runs, each with a part of the lanes",
    Part.PLACES: "split the study over several runs, each with a part of the lanes: "
    "a flow's process waits for so many task runs at once",
    Part.SCHEDULER: "split the study over several runs, each with a scheduler of its own",
    Part.STORE: "give runs results of their own: another disk, or another bucket or prefix",
    Part.SERVER: "a server on Postgres; fewer task runs, by larger batches; nothing waits for it, "
    "but its pages lag behind",
}


def check_counts(lanes: int | None, trials: int | None) -> None:
    """Refuse numbers that no plan is made for.

    Raises:
        InputError: one is below 1 or too large.
    """
    for name, given, most in (
        ("--lanes", lanes, MOST_PLANNED_LANES), ("--trials", trials, MOST_PLANNED_TRIALS)
    ):  # fmt: skip
        if given is not None and not 1 <= given <= most:
            value = f"{given:,}" if abs(given) < 10**18 else shown(given)
            raise InputError(f"{name}: {value} is not allowed; give 1 to {most:,}, or leave it out")


def scale(
    plan: Plan, forecast: Forecast, lanes: int, trials: int, results: Results, size: float
) -> ScaledPlan:
    """Scale a study's plan to so many trials.

    Args:
        plan: The study's plan.
        forecast: Its cost from nothing, on one lane.
        lanes: How many are to train.
        trials: How many are to be answered.
        results: Where results would be kept.
        size: Bytes of a training, on average.

    Raises:
        InputError: the study has no trainings that are known before others are done.
    """
    if not forecast.seconds:
        raise InputError(
            f"--trials: {trials:,} is not allowed for a study whose trainings only a search finds; leave it "
            "out, or name a study with sweeps or candidates"
        )
    trainings = max(1, round(trials * len(plan.trainings) / len(plan.trials)))
    serving = ON_DISK if is_local(results.folder) else ON_OBJECT_STORE
    epochs = forecast.epochs_to_run / len(forecast.jobs)
    return ScaledPlan(forecast.seconds, trainings, lanes, serving.for_trainings(size, epochs))


def describe_scaled(plan: ScaledPlan, trials: int, files: Files) -> dict[str, Any]:
    """Everything that is known of a scaled plan, in seconds, shares of 1, and numbers a second."""
    run, first, rate = plan.run, plan.first_full, plan.trainings / plan.run.makespan
    return {
        "trials": trials,
        "trainings": plan.trainings,
        "task_runs": run.units,
        "lanes": plan.lanes,
        "training_seconds": round(plan.mean_seconds, 3),
        "lane_seconds": round(run.lane_seconds, 1),
        "predicted_seconds": round(run.makespan, 1),
        "makespan_bound_seconds": round(run.bound, 1),
        "efficiency": round(run.efficiency, 4),
        "trainings_each_second": round(rate, 2),
        "files_each_second": round(rate * files.count, 2),
        "bytes_each_second": round(rate * files.size),
        "bytes_kept": round(plan.trainings * files.size),
        "parts": [_describe_part(each, run.busy[each.part]) for each in plan.asked],
        "full_first": None if first is None else {"part": first.part.value, "lanes": first.lanes},
        "runs_to_split_into": plan.flows,
        "split_predicted_seconds": round(plan.split.makespan, 1),
        "split_efficiency": round(plan.split.efficiency, 4),
    }


def _describe_part(asked: Asked, busy: float) -> dict[str, Any]:
    return {
        "part": asked.part.value,
        "counted_in": _COUNTED[asked.part],
        "asked": round(asked.each_second, 3),
        "bears": round(asked.bears, 3) if math.isfinite(asked.bears) else None,
        "share_asked": round(asked.share, 4),
        "share_busy": round(busy, 4),
    }


def print_scaled(described: dict[str, Any], study: str) -> None:
    """Print a described scaled plan as a table and sentences."""
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(_draw_parts(described, study))
    for line in _sentences(described, study):
        typer.echo(line)


def _draw_parts(described: dict[str, Any], study: str) -> Table:
    trials, lanes = count(described["trials"], "trial"), count(described["lanes"], "lane")
    table = Table(title=f"{study} scaled to {trials}, on {lanes}")
    headings = ("part", "counted in", "bears", "asked, if every\nlane trained", "share", "busy, as simulated")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in headings[:2] else "right")
    for row in described["parts"]:
        bears = "any" if row["bears"] is None else _number(row["bears"])
        table.add_row(
            row["part"], row["counted_in"], bears, _number(row["asked"]), f"{row['share_asked']:.0%}",
            f"{row['share_busy']:.0%}",
        )  # fmt: skip
    return table


def _sentences(described: dict[str, Any], study: str) -> list[str]:
    trainings, lanes = count(described["trainings"], "training"), count(described["lanes"], "lane")
    runs, mean = count(described["task_runs"], "task run"), duration(described["training_seconds"])
    written, kept = described["bytes_each_second"] / 1e6, described["bytes_kept"] / 1e9
    return [
        f"{count(described['trials'], 'trial')}, as {study} has them, read {trainings} of "
        f"{mean} on average, in {runs}",
        f"results: {described['files_each_second']:,.0f} files and {written:,.1f} MB a second, "
        f"{kept:,.1f} GB in all",
        *_first_full_sentences(described),
        *_split_sentences(described),
        f"predicted: {duration(described['predicted_seconds'])} on {lanes}, which train for "
        f"{described['efficiency']:.0%} of it (cannot be below "
        f"{duration(described['makespan_bound_seconds'])})",
    ]


def _first_full_sentences(described: dict[str, Any]) -> list[str]:
    first = described["full_first"]
    if first is None:
        return ["nothing is full on any number of lanes that was looked at"]
    part = Part(first["part"])
    return [
        f"full first, as lanes grow: {part.value}, {FULL:.0%} busy from about "
        f"{count(first['lanes'], 'lane')} on; to change: {_REMEDIES[part]}",
        *(
            f"{row['part']}: asked for {row['share_asked']:.0%} of what it bears; "
            f"to change: {_REMEDIES[Part(row['part'])]}"
            for row in described["parts"]
            if row["share_asked"] > FULL and row["part"] != part.value
        ),
    ]


def _split_sentences(described: dict[str, Any]) -> list[str]:
    if described["runs_to_split_into"] == 1:
        return []
    return [
        f"split over {count(described['runs_to_split_into'], 'run')}, each with a scheduler of its own: "
        f"{duration(described['split_predicted_seconds'])}, lanes train for "
        f"{described['split_efficiency']:.0%} of it, if results and server bear that"
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
