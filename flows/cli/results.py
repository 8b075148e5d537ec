"""The commands `study show`, `report`, `nights` and `compare`: read published runs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.cli.options import FAILED, ResultsOption
from flows.shown import print_summary
from storage.results import results_at
from storage.tables import list_nights, read_run, rows_of
from study.conclusions import compare_runs, read_changes, shorten_verdicts
from study.errors import InputError
from study.spec import PublishedSource
from study.wording import MISSING, count, duration, percent, points
from tasks.figures import draw_figures
from tasks.report import write_report
from tasks.tables import compare_run_with_published, read_study_of, read_trials

if TYPE_CHECKING:
    import pandas as pd

    from storage.tables import RunFrames


def report_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest.")
    ] = None,
    results: ResultsOption = "results",
) -> None:
    """Write the report of a run again, from its Parquet tables alone.

    Figures, `report.html` and `report.md` are replaced. Nothing is trained.
    """
    place = results_at(results)
    frames = read_run(place, run)
    study = read_study_of(frames)
    figures = draw_figures.fn(study, place, frames)
    report = write_report.fn(place, study, frames, figures)
    typer.echo(f"report: {report.html}")


Night = dict[str, Any]
"""The description of one night, as plain data."""


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

    Each is compared with earlier runs: its exercises have the same weights, the same readings within noise,
    or have drifted. It also lists the changes since the compared run.
    """
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
    """Describe each night with its exercises, oldest first, from the rows of `storage.tables.list_nights`."""
    return [_describe_night(rows) for _, rows in nights.groupby("run_id", sort=False)]


def print_nights(nights: list[Night]) -> None:
    """Print a table of nights, and their number."""
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
    """Return a number for JSON: null for NaN."""
    return None if value != value else float(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None  # pandas reads a missing text as NaN


MARGIN = 0.5
"""Default margin in points within which means agree: the spread of one published reading."""

_DIFFERENCES = ("differs", "outside")

Row = dict[str, Any]


def compare_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest.")
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]", help="Another run's id, or a CSV. Default: the one its study names."
        ),
    ] = None,
    results: ResultsOption = "results",
    other_results: Annotated[
        str | None,
        typer.Option(
            "--other-results", metavar="DIR", help="Results folder of OTHER. Default: as --results."
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin", metavar="POINTS", help="Means agree within it. Default: the study's, or 0.5."
        ),
    ] = None,
    readings: Annotated[
        Path | None,
        typer.Option("--readings", metavar="CSV", help="Single readings, in addition to a CSV of averages."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two runs, or a run with a published table, setting by setting; exit code 1 if any differs.

    Two runs: `identical` weights; `agrees` within the margin by two one-sided tests; `differs` at 5%,
    corrected for all settings, seed by seed if both have the same seeds; `cannot tell` otherwise. A
    published table (columns exercise, parameter, value, n_readings, accuracy_pct, note) is judged as in the
    report.
    """
    if margin is not None and not 0 < margin <= 100:
        raise InputError(
            f"--margin: {margin:g} is not allowed; give points above 0, at most 100, such as 0.5"
        )
    frames = read_run(results_at(results), run)
    if other is None:
        rows = _recorded(frames, margin, readings)
    elif other.endswith(".csv"):
        rows = _against_table(frames, Path(other), readings, margin or MARGIN)
    else:
        if readings is not None:
            raise InputError(f"--readings: {readings} goes with a CSV of averages, and {other!r} is a run")
        others = read_run(results_at(other_results or results), other)
        rows = _against_run(frames, others, margin or MARGIN)
    _tell(rows, as_json)
    if any(row["verdict"] in _DIFFERENCES for row in rows):
        sys.exit(FAILED)


def _recorded(frames: "RunFrames", margin: float | None, readings: Path | None) -> list[Row]:
    """Return the run's own comparison with the values that its study names as published."""
    if margin is not None or readings is not None:
        raise InputError(
            "--margin and --readings: a run was compared with its own study's published values when it ran; "
            "give a CSV as OTHER to compare it again"
        )
    if frames.agreement.empty:
        raise InputError(
            f"run {frames.run['run_id']} was compared with no published values: its study names none; give "
            "another run or a CSV as OTHER"
        )
    return rows_of(frames.agreement)


def _against_table(frames: "RunFrames", path: Path, readings: Path | None, margin: float) -> list[Row]:
    source = PublishedSource(averages=path, readings=readings, margin=margin)
    study = read_study_of(frames).model_copy(update={"published": source})
    rows = compare_run_with_published.fn(study, str(frames.run["run_id"]), rows_of(frames.trials))
    if not rows:
        raise InputError(f"{path}: has no setting of an exercise that run {frames.run['run_id']} has")
    return rows


def _against_run(frames: "RunFrames", others: "RunFrames", margin: float) -> list[Row]:
    compared = compare_runs(
        read_trials(rows_of(frames.trials)), read_trials(rows_of(others.trials)), margin / 100
    )
    if not compared:
        raise InputError(
            f"runs {frames.run['run_id']} and {others.run['run_id']} have no setting that both completed"
        )
    return [asdict(each) for each in compared]


def _tell(rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1, default=str))
        return
    rows = [
        row for row in rows if row.get("kind") != "claim"
    ]  # claims are whole sentences: the report has them
    is_of_runs = "means" in rows[0]
    first, second = ("first run", "second run") if is_of_runs else ("published", "ours")
    table = Table(caption="accuracies in percent, differences in points: the second less the first")
    for name in ("ex.", "setting", first, second, "difference", "95% interval", "verdict"):
        table.add_column(name, justify="left" if name in ("setting", "verdict") else "right", overflow="fold")
    for row in rows:
        cells = _run_cells(row) if is_of_runs else _published_cells(row)
        style = "bold" if row["verdict"] in _DIFFERENCES else None
        table.add_row(*map(escape, (str(row["exercise"]), *cells, row["verdict"])), style=style)
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)
    verdicts = [row["verdict"] for row in rows]
    told = ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    typer.echo(f"{len(rows)} compared: {told}")


def _run_cells(row: Row) -> tuple[str, ...]:
    first, second = (percent(mean, sign=False) for mean in row["means"])
    return row["setting"], first, second, points(row["difference"]), _interval(row)


def _published_cells(row: Row) -> tuple[str, ...]:
    if row["kind"] == "band":
        return f"band: {row['subject']}", row["allowed"], row["found"], "", ""
    numbers = (row["published_accuracy"], row.get("mean_accuracy"))
    published, ours = (percent(number, sign=False) for number in numbers)
    return row["subject"], published, ours, points(row.get("difference")), _interval(row)


def _interval(row: Row) -> str:
    low, high = points(row.get("low")), points(row.get("high"))
    return f"{low} to {high}" if row.get("low") is not None else low


def show_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest.")
    ] = None,
    results: ResultsOption = "results",
) -> None:
    """Show the summary of a run as a table."""
    place = results_at(results)
    frames = read_run(place, run)
    print_summary(frames)
    typer.echo(f"report: {place.report(str(frames.run.run_id))}")
