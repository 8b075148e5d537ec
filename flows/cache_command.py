"""The command `study cache`: list and prune the finished trainings that later runs read."""

from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import ResultsOption
from study.errors import InputError
from study.wording import count

if TYPE_CHECKING:
    from storage.place import Results

cache_app = typer.Typer(
    no_args_is_help=True,
    help=(
        "List and prune finished trainings.\n\n"
        "They lie in `results/trainings`, one folder for each key; a run trains what is not there, goes on "
        "with what is too short, and trains again what is damaged. Removing any costs time, never results."
    ),
)


@cache_app.command("list")
def list_command(results: ResultsOption = "results") -> None:
    """List the kept trainings: key, what was trained, epochs, accuracy, run and size."""
    from flows.cache_text import print_entries
    from storage.place import results_at

    print_entries(results_at(results))


@cache_app.command("prune")
def prune_command(
    results: ResultsOption = "results",
    damaged: Annotated[bool, typer.Option("--damaged", help="Remove what cannot be read.")] = False,
    stale: Annotated[
        bool,
        typer.Option("--stale", help="Remove what another version of the code or TensorFlow trained."),
    ] = False,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="TIME", help="Remove what was trained before, such as `30d`."),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Remove everything.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, remove nothing.")
    ] = False,
) -> None:
    """Remove kept trainings to free disk space; tables and reports stay.

    Choose what to remove by at least one option; a training that any of them names goes.
    """
    from flows.request import read_duration
    from storage.place import results_at
    from storage.trainings import list_keys, measure_training, remove_training

    if not (damaged or stale or older_than or everything):
        raise InputError("study cache prune: give at least one of --damaged, --stale, --older-than, --all")
    place = results_at(results)
    before = None
    if older_than:
        before = datetime.now(UTC) - timedelta(seconds=read_duration(older_than, "--older-than"))
    chosen = [key for key in list_keys(place) if everything or _is_named(place, key, damaged, stale, before)]
    freed = sum(measure_training(place, key) for key in chosen)
    if not dry_run:
        for key in chosen:
            remove_training(place, key)
    verb = "would remove" if dry_run else "removed"
    typer.echo(f"{verb} {count(len(chosen), 'training')}, {freed / 1e6:.1f} MB, of {place.trainings}")


def _is_named(place: "Results", key: str, damaged: bool, stale: bool, before: datetime | None) -> bool:
    from storage.trainings import DamagedTraining, verify_training
    from tasks.train import MODEL_VERSION

    try:
        record = verify_training(place, key)
    except DamagedTraining:
        return damaged
    if before is not None and record.segments[-1].finished_at < before:
        return True
    today = (MODEL_VERSION, metadata.version("tensorflow") if record.source.engine == "tensorflow" else "")
    return stale and (record.source.model, record.source.tensorflow) != today
