"""The command `study compare`: two runs, or a run and a published table; exit code 1 on a difference."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.exit_codes import FAILED
from flows.options import ResultsOption, show_warnings
from study.errors import InputError
from study.wording import percent, points

if TYPE_CHECKING:
    from storage.tables import RunFrames

MARGIN = 0.5
"""Points within which means agree unless told otherwise: the spread of one published reading."""

_DIFFERENCES = ("differs", "outside")

Row = dict[str, Any]


def compare_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest.")
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(metavar="[OTHER]", help="Another run's id, or a CSV. Default: what its study names."),
    ] = None,
    results: ResultsOption = "results",
    other_results: Annotated[
        str | None,
        typer.Option("--other-results", metavar="DIR", help="Where OTHER lies. Default: as --results."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin", metavar="POINTS", help="Within it means agree. Default: the study's, or 0.5."
        ),
    ] = None,
    readings: Annotated[
        Path | None,
        typer.Option("--readings", metavar="CSV", help="Single readings beside a CSV of averages."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two runs, or a run with a published table, setting by setting; exit code 1 if any differs.

    Two runs: `identical` weights; `agrees` within the margin by two one-sided tests; `differs` at 5%,
    corrected for all settings, seed by seed where both read the same seeds; `cannot tell` otherwise. A
    published table (columns exercise, parameter, value, n_readings, accuracy_pct, note) is judged as in the
    report.
    """
    show_warnings()
    from storage.place import results_at
    from storage.tables import read_run

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
    """What the run found when it was held against what its study names as published."""
    if margin is not None or readings is not None:
        raise InputError(
            "--margin and --readings: a run was held against its own study's published values when it ran; "
            "give a CSV as OTHER to judge it anew"
        )
    if frames.agreement.empty:
        raise InputError(
            f"run {frames.run['run_id']} was held against nothing published: its study names none; give "
            "another run or a CSV as OTHER"
        )
    from storage.tables import rows_of

    return rows_of(frames.agreement)


def _against_table(frames: "RunFrames", path: Path, readings: Path | None, margin: float) -> list[Row]:
    from storage.tables import rows_of
    from study.published import PublishedSource
    from tasks.hold_against_published import hold_run_against_published
    from tasks.recorded import read_study_of

    source = PublishedSource(averages=path, readings=readings, margin=margin)
    study = read_study_of(frames).model_copy(update={"published": source})
    rows = hold_run_against_published.fn(study, str(frames.run["run_id"]), rows_of(frames.trials))
    if not rows:
        raise InputError(f"{path}: has no setting of an exercise that run {frames.run['run_id']} has")
    return rows


def _against_run(frames: "RunFrames", others: "RunFrames", margin: float) -> list[Row]:
    from storage.tables import rows_of
    from study.run_comparison import compare_runs
    from tasks.readings_of import read_trials

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
    rows = [row for row in rows if row.get("kind") != "claim"]  # whole sentences: they stand in the report
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

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
