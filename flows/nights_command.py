"""The command `study nights`: every fresh run, how it compares with earlier ones, and what changed."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import ResultsOption, show_warnings

if TYPE_CHECKING:
    import pandas as pd

Night = dict[str, Any]
"""What is told of one night, as plain data."""


def nights_command(
    results: ResultsOption = "results",
    study: Annotated[
        str | None, typer.Option("--study", metavar="NAME", help="Only this study's nights. Default: all.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, with every exercise's message.")
    ] = False,
) -> None:
    """List the nights: the runs that trained everything fresh, newest last.

    Each says whether its exercises read what earlier runs read (the same weights, or the same within noise),
    or have drifted, and what changed since the run it was compared with.
    """
    show_warnings()
    from storage.nights import list_nights
    from storage.place import results_at

    place = results_at(results)
    nights = describe_nights(list_nights(place, study))
    if as_json:
        typer.echo(json.dumps(nights, indent=1))
    elif not nights:
        of_study = f" of study {study}" if study else ""
        typer.echo(f"no night{of_study} in {place.tables}: `study run --fresh` makes one")
    else:
        print_nights(nights)


def describe_nights(nights: "pd.DataFrame") -> list[Night]:
    """Each night with its exercises, oldest first, from what `storage.nights.list_nights` gives."""
    return [_describe_night(rows) for _, rows in nights.groupby("run_id", sort=False)]


def print_nights(nights: list[Night]) -> None:
    """Print a table of nights, and how many there were."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from study.night_words import shorten_verdicts
    from study.wording import MISSING, count, duration, percent

    table = Table(caption="Identical: the weights of an earlier run. Best: the setting with the best mean.")
    for name in ("started (UTC)", "run", "against earlier runs", "what changed"):
        table.add_column(name, overflow="fold")
    for name in ("wall time", "best"):
        table.add_column(name, justify="right", no_wrap=True)
    for night in nights:
        verdicts = {each["exercise"]: each["verdict"] for each in night["exercises"]}
        cells = (
            night["started_at"][:16].replace("T", " "),
            night["run_id"],
            shorten_verdicts(verdicts) + _failed(night),
            "; ".join(night["changes"])
            or (MISSING if set(verdicts.values()) == {"first"} else "nothing recorded"),
            duration(night["wall_seconds"]),
            percent(night["best_accuracy"]),
        )
        is_drift = "drifted" in verdicts.values()
        table.add_row(*map(escape, cells), style="bold" if is_drift else None)
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
    drifted = sum(any(each["verdict"] == "drifted" for each in night["exercises"]) for night in nights)
    typer.echo(f"{count(len(nights), 'night')}, {drifted or 'none'} with a drift")


def _describe_night(rows: "pd.DataFrame") -> Night:
    from study.changes import read_changes

    first = rows.iloc[0]
    exercises = [_describe_exercise(row) for row in rows.to_dict("records")]
    changes = [str(each) for text in rows["changes"].dropna() for each in read_changes(text)]
    return {
        "run_id": str(first["run_id"]),
        "study": str(first["study"]),
        "protocol": str(first["protocol"]),
        "status": str(first["status"]),
        "started_at": first["started_at"].isoformat(),
        "wall_seconds": float(first["wall_seconds"]),
        "failed_trials": int(first["run_failed_trials"]),
        "best_accuracy": _number(rows["best_accuracy"].max()),
        "changes": list(dict.fromkeys(changes)),
        "exercises": exercises,
    }


def _describe_exercise(row: dict[Any, Any]) -> dict[str, Any]:
    from study.changes import read_changes

    compared_with, changes = _text(row["compared_with"]), _text(row["changes"])
    return {
        "exercise": int(row["exercise"]),
        "verdict": str(row["verdict"]),
        "message": str(row["message"]),
        "mean_accuracy": _number(row["mean_accuracy"]),
        "difference": _number(row["difference"]),
        "p_value": _number(row["p_value"]),
        "threshold": _number(row["threshold"]),
        "compared_with": compared_with,
        "lane_seconds": float(row["lane_seconds"]),
        "changes": [each.model_dump() for each in read_changes(changes or "[]")],
    }


def _failed(night: Night) -> str:
    return f"; {night['failed_trials']} trials failed" if night["failed_trials"] else ""


def _number(value: float) -> float | None:
    """A number as JSON has it: null for none."""
    return None if value != value else float(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None  # pandas reads a missing text as NaN
