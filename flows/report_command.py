"""The command `study report`: draw a published run's figures and write its report again, from its tables."""

from typing import Annotated

import typer

from flows.options import ResultsOption, show_warnings


def report_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest.")
    ] = None,
    results: ResultsOption = "results",
) -> None:
    """Write the report of a run again, from its Parquet tables alone.

    Figures, `report.html` and `report.md` are replaced. Nothing is trained.
    """
    show_warnings()
    from storage.place import results_at
    from storage.tables import read_run
    from tasks.draw_figures import draw_figures
    from tasks.recorded import read_study_of
    from tasks.report import write_report

    place = results_at(results)
    frames = read_run(place, run)
    study = read_study_of(frames)
    figures = draw_figures.fn(study, place, frames)
    report = write_report.fn(place, study, frames, figures)
    typer.echo(f"report: {report.html}")
