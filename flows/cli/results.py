"""The commands `study show`, `report`, `nights` and `compare`: read published runs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.markup import escape
from rich.table import Table

from flows.cli.closing import print_run
from flows.cli.options import FAILED, ResultsOption, RunArgument
from flows.shown import print_table
from storage.results import results_at
from storage.tables import AgreementRow, NightRow, RunRow, RunTables, list_nights, read_run
from study.conclusions import compare_runs, read_changes, shorten_verdicts
from study.errors import InputError
from study.spec import PublishedSource
from study.status import Agreement, NightVerdict, Published
from study.wording import MISSING, count, duration, percent, points, points_interval
from tasks.figures import draw_figures
from tasks.report import write_report
from tasks.tables import compare_run_with_published, read_study_of, read_trials


def report_command(run: RunArgument = None, results: ResultsOption = "results") -> None:
    """Write the report of a run again, from its Parquet tables alone.

    Figures, `report.html` and `report.md` are replaced. Nothing is trained.
    """
    place = results_at(results)
    tables = read_run(place, run)
    study = read_study_of(tables)
    figures = draw_figures.fn(study, place, tables)
    report = write_report.fn(place, study, tables, figures)
    typer.echo(f"report: {report.html}")


@dataclass(frozen=True)
class Night:
    """A run that trained everything fresh, and its rows of `nights`."""

    run: RunRow
    exercises: Sequence[NightRow]

    @property
    def verdicts(self) -> dict[int, NightVerdict]:
        """Return its verdicts by exercise."""
        return {each.exercise: each.verdict for each in self.exercises}

    @property
    def changes(self) -> list[str]:
        """Return what changed since the runs it was compared with, in words."""
        changes = [str(change) for each in self.exercises for change in read_changes(each.changes or "[]")]
        return list(dict.fromkeys(changes))

    @property
    def best_accuracy(self) -> float | None:
        """Return the highest mean test accuracy of a setting; None if there is no reading."""
        read = [each.best_accuracy for each in self.exercises if each.best_accuracy is not None]
        return max(read, default=None)

    @property
    def is_drifted(self) -> bool:
        """Say whether an exercise has drifted."""
        return NightVerdict.DRIFTED in self.verdicts.values()


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
    nights = group_nights(list_nights(place, study))
    if as_json:
        typer.echo(json.dumps([describe_night(each) for each in nights], indent=1))
    elif not nights:
        of_study = f" of study {study}" if study else ""
        typer.echo(f"no night{of_study} in {place.tables}: `study run --fresh` makes one")
    else:
        print_nights(nights)


def group_nights(rows: Sequence[tuple[RunRow, NightRow]]) -> list[Night]:
    """Return each night with its exercises, oldest first, from what `storage.tables.list_nights` lists."""
    return [
        Night(run, [night for _, night in pairs]) for run, pairs in groupby(rows, key=lambda pair: pair[0])
    ]


def print_nights(nights: Sequence[Night]) -> None:
    """Print a table of nights, and their number."""
    table = Table(caption="Identical: the weights of an earlier run. Best: the setting with the best mean.")
    for name in ("started (UTC)", "run", "against earlier runs", "what changed"):
        table.add_column(name, overflow="fold")
    for name in ("wall time", "best"):
        table.add_column(name, justify="right", no_wrap=True)
    for night in nights:
        failed = f"; {night.run.failed_trials} trials failed" if night.run.failed_trials else ""
        is_first = set(night.verdicts.values()) == {NightVerdict.FIRST}
        cells = (
            f"{night.run.started_at:%Y-%m-%d %H:%M}",
            night.run.run_id,
            shorten_verdicts(night.verdicts) + failed,
            "; ".join(night.changes) or (MISSING if is_first else "nothing recorded"),
            duration(night.run.wall_seconds),
            percent(night.best_accuracy),
        )
        table.add_row(*map(escape, cells), style="bold" if night.is_drifted else None)
    print_table(table, 160)
    drifted = sum(night.is_drifted for night in nights)
    typer.echo(f"{count(len(nights), 'night')}, {drifted or 'none'} with a drift")


def describe_night(night: Night) -> dict[str, Any]:
    """Return the content of a night's JSON."""
    return {
        "run_id": night.run.run_id,
        "study": night.run.study,
        "protocol": night.run.protocol,
        "status": night.run.status,
        "started_at": night.run.started_at.isoformat(),
        "wall_seconds": night.run.wall_seconds,
        "failed_trials": night.run.failed_trials,
        "best_accuracy": night.best_accuracy,
        "changes": night.changes,
        "exercises": [
            {name: getattr(each, name) for name in _DESCRIBED}
            | {"changes": [change.model_dump() for change in read_changes(each.changes or "[]")]}
            for each in night.exercises
        ],
    }


_DESCRIBED = (
    *("exercise", "verdict", "message", "mean_accuracy", "difference", "p_value", "threshold"),
    *("compared_with", "lane_seconds"),
)


MARGIN = 0.5
"""Default margin in points within which means agree: the spread of one published reading."""

_DIFFERENCES = (Agreement.DIFFERS, Agreement.OUTSIDE)


class _Line(NamedTuple):
    """A line of the printed table: accuracies in percent, differences in points."""

    exercise: int
    setting: str
    first: str
    second: str
    difference: str
    interval: str
    verdict: str


@dataclass(frozen=True)
class _Comparison:
    """The comparison of two sources: the content of its JSON, and the lines of its table."""

    first: str
    second: str
    content: list[dict[str, Any]]
    lines: list[_Line]


def compare_command(
    run: RunArgument = None,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]", help="Another run's id, or a CSV or .xlsx. Default: what its study names."
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
    corrected for all settings, seed by seed if both have the same seeds; `undecided` otherwise. A
    published table (columns exercise, value, accuracy_pct in percent and, if known, n_readings) is judged as
    in the report. It may be CSV with any separator, or .xlsx.
    """
    if margin is not None and not 0 < margin <= 100:
        raise InputError(
            f"--margin: {margin:g} is not allowed; give points above 0, at most 100, such as 0.5"
        )
    tables, within = read_run(results_at(results), run), margin or MARGIN
    if other is None:
        compared = _recorded(tables, margin, readings)
    elif Path(other).suffix or Path(other).is_file():  # no run's id has a suffix
        compared = _against_table(tables, Path(other), readings, margin)
    else:
        if readings is not None:
            raise InputError(f"--readings: {readings} goes with a CSV of averages, and {other!r} is a run")
        compared = _against_run(tables, read_run(results_at(other_results or results), other), within)
    if as_json:
        typer.echo(json.dumps(compared.content, indent=1))
    else:
        _print_comparison(compared)
    if any(line.verdict in _DIFFERENCES for line in compared.lines):
        sys.exit(FAILED)


def _recorded(tables: RunTables, margin: float | None, readings: Path | None) -> _Comparison:
    """Return the run's own comparison with the values that its study names as published."""
    if margin is not None or readings is not None:
        raise InputError(
            "--margin and --readings: a run was compared with its own study's published values when it ran; "
            "give a CSV as OTHER to compare it again"
        )
    if not tables.agreement:
        raise InputError(
            f"run {tables.run.run_id} was compared with no published values: its study names none; give "
            "another run or a CSV as OTHER"
        )
    return _compare_published(tables.agreement)


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.read_bytes() == second.read_bytes()
    except OSError:
        return False  # the reader says what is wrong


def _against_table(tables: RunTables, path: Path, readings: Path | None, margin: float | None) -> _Comparison:
    study = read_study_of(tables)
    own = study.published
    if own is None or not _is_same_file(own.averages, path) or readings is not None:
        own = PublishedSource(averages=path, readings=readings)
    source = own if margin is None else own.model_copy(update={"margin": margin / 100})
    study = study.model_copy(update={"published": source})
    rows = compare_run_with_published.fn(study, tables.run.run_id, tables.trials, tables.epochs)
    if not rows:
        raise InputError(f"{path}: has no setting of an exercise that run {tables.run.run_id} has")
    return _compare_published(rows)


def _against_run(tables: RunTables, others: RunTables, margin: float) -> _Comparison:
    compared = compare_runs(read_trials(tables.trials), read_trials(others.trials), margin / 100)
    if not compared:
        raise InputError(
            f"runs {tables.run.run_id} and {others.run.run_id} have no setting that both completed"
        )
    lines = []
    for each in compared:
        first, second = (percent(mean, sign=False) for mean in each.means)
        difference = (points(each.difference), points_interval(each.low, each.high))
        lines.append(_Line(each.exercise, each.setting, first, second, *difference, each.verdict))
    return _Comparison("first run", "second run", [asdict(each) for each in compared], lines)


def _compare_published(rows: Sequence[AgreementRow]) -> _Comparison:
    # Claims are whole sentences: the report has them.
    lines = [_line_of(row) for row in rows if row.kind != Published.CLAIM]
    return _Comparison("published", "ours", [row.model_dump() for row in rows], lines)


def _line_of(row: AgreementRow) -> _Line:
    if row.kind == Published.BAND:
        band = (f"band: {row.subject}", row.allowed or "", row.found or "")
        return _Line(row.exercise, *band, "", "", row.verdict)
    published, ours = (percent(each, sign=False) for each in (row.published_accuracy, row.mean_accuracy))
    difference = (points(row.difference), points_interval(row.low, row.high))
    return _Line(row.exercise, row.subject, published, ours, *difference, row.verdict)


def _print_comparison(compared: _Comparison) -> None:
    table = Table(caption="accuracies in percent, differences in points: the second less the first")
    headings = ("ex.", "setting", compared.first, compared.second, "difference", "95% interval", "verdict")
    for name in headings:
        table.add_column(name, justify="left" if name in ("setting", "verdict") else "right", overflow="fold")
    for line in compared.lines:
        table.add_row(
            *(escape(str(cell)) for cell in line), style="bold" if line.verdict in _DIFFERENCES else None
        )
    print_table(table, 140)
    verdicts = [line.verdict for line in compared.lines]
    counted = ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    typer.echo(f"{len(verdicts)} compared: {counted}")


def show_command(run: RunArgument = None, results: ResultsOption = "results") -> None:
    """Show a run: its summary as a table, its answers, where its report is, and what to do next."""
    place = results_at(results)
    print_run(place, read_run(place, run))
