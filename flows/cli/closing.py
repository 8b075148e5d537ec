"""The closing lines of `study run`, which `study show` prints again: answers, paths, commands to use next."""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import typer

from flows.shown import print_summary
from storage.results import Results
from storage.tables import RunTables
from tasks.report import list_answers
from tasks.tables import read_model, read_study_of


def print_run(results: Results, tables: RunTables) -> None:
    """Print a run's summary, its answers, where report and model are, and what to do next.

    Raises:
        InputError: the run's study or its model cannot be read from the tables.
    """
    study = read_study_of(tables)
    print_summary(tables)
    for name, answer in list_answers(study, tables):
        typer.echo(f"{name}: {answer}")
    run_id = tables.run.run_id
    typer.echo(f"\nreport: {results.report(run_id)}")
    chosen = read_model(tables)
    if chosen is not None and chosen.files:
        model = results.model(run_id) / chosen.files[0]
        typer.echo(f"model:  {model}")
        typer.echo(f"next:   {_program()} predict {model} PICTURE")
    if study.sweeps:
        more = 2 * max(each.repeats for each in study.sweeps)
        place = "" if str(results.folder) == "results" else f" --results {results.folder}"
        typer.echo(f"next:   {_program()} run {_name_source(tables)} --repeats {more}{place}")
    typer.echo(f"next:   {_program()} serve")


def _name_source(tables: RunTables) -> str:
    """Return how a run's study is given: by the path of its file, or by its name."""
    path = json.loads(tables.run.parameters or "{}").get("study_file")
    return shlex.quote(path) if path else tables.run.study


def _program() -> str:
    """Return how to call this program from the folder it was called from."""
    own = Path(sys.executable).with_name("study")
    found = shutil.which("study")
    if found is not None and Path(found).resolve() == own.resolve():
        return "study"
    relative = os.path.relpath(own)
    return relative if not relative.startswith("..") else str(own)
