"""The command `study replay`: train published rows again from their columns alone, and compare."""

import json
import secrets
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.exit_codes import FAILED, TERMINATED
from flows.options import DataOption, DebuggableLanesOption, ResultsOption, show_warnings, use_cpu_here
from flows.stop_signals import Terminated, terminate_in_order
from study.errors import InputError
from study.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from study.recipe import Recipe
    from study.replay import Replay
    from tasks.dataset import Dataset

_SEEDS = 1_000_000
"""Seeds to draw one from, where none is given: short enough to be typed again."""


def replay_command(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Trainings, by the column `key`.")
    ] = None,
    trial: Annotated[
        list[str] | None,
        typer.Option(
            "--trial", metavar="EXERCISE/SETTING/REPEAT", help="A row, such as `2/filters=64/1`; repeatable."
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--random", metavar="N", help="As many rows, drawn at random.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="S", help="Of the draw. Default: another one each time.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="A run's id. Default: the latest.")
    ] = None,
    results: ResultsOption = "results",
    data: DataOption = None,
    lanes: DebuggableLanesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
) -> None:
    """Train rows of a published run again, from their columns alone, and compare weights and readings.

    `equal`: the hash of the weights and every reading are the same, to the bit, as they must be on the same
    software and processor. `within tolerance`: they are not, an input differs, and accuracies are no further
    apart than such inputs were measured to bring about. `differs`: anything else; exit code 1. The first
    differing input is named. Kept trainings are neither read nor written.

    Examples: `study replay --random 3`; `study replay --trial 4/epochs=20/1`.
    """
    show_warnings()
    if lanes == 0:
        use_cpu_here()
    terminate_in_order()
    try:
        replays, run_id = _replay(keys or (), trial or (), (number, seed), run, results, data, lanes)
    except KeyboardInterrupt as error:
        typer.echo("\nstopped; nothing was written", err=True)
        if isinstance(error, Terminated):
            sys.exit(TERMINATED)
        raise
    if as_json:
        typer.echo(json.dumps([{"run_id": run_id, **each.model_dump()} for each in replays], indent=1))
    else:
        from flows.replay_text import tell_replays

        tell_replays(run_id, replays)
    if any(each.verdict == "differs" for each in replays):
        sys.exit(FAILED)


def _replay(
    keys: "Sequence[str]",
    trials: "Sequence[str]",
    draw: tuple[int | None, int | None],
    run: str | None,
    results: str,
    data: Path | None,
    lanes: int | None,
) -> "tuple[list[Replay], str]":
    from storage.place import results_at
    from storage.tables import list_runs, read_run, rows_of
    from tasks.choose_rows import choose_rows
    from tasks.dataset import load_dataset
    from tasks.read_recipe import read_recipe, read_tables

    place = results_at(results)
    frames = read_run(place, run)
    seed = _choose_seed(*draw)
    rows = choose_rows(rows_of(frames.trials), keys, trials, draw[0], seed)
    tables = read_tables(frames, list_runs(place))
    recipes = [read_recipe(row, tables) for row in rows]
    replays = _train(recipes, load_dataset(data), str(frames.run["device"]), lanes)
    order = {recipe.trial: at for at, recipe in enumerate(recipes)}
    return sorted(replays, key=lambda each: order[each.trial]), str(frames.run["run_id"])


def _choose_seed(number: int | None, seed: int | None) -> int:
    """The seed of the draw; one that was drawn itself is told, so that the draw can be repeated."""
    if seed is not None:
        if number is None:
            raise InputError(f"--seed: {seed} is of a draw; give --random N, too")
        return seed
    drawn = secrets.randbelow(_SEEDS)
    if number is not None:
        typer.echo(f"{count(number, 'row')} drawn with --seed {drawn}", err=True)
    return drawn


def _train(recipes: "Sequence[Recipe]", dataset: "Dataset", kind: str, lanes: int | None) -> "list[Replay]":
    """Train what must be trained, and show how far it is."""
    from flows.progress import Tally, TerminalProgress
    from tasks.replay import devices_for, replay_jobs, sort_out

    in_process = lanes == 0
    devices = devices_for("CPU", 1) if in_process else devices_for(kind, lanes)
    replays, jobs = sort_out(recipes, dataset, devices[0].kind)
    if not jobs:
        return replays
    used = devices[: len(jobs)]
    what = f"{count(len(recipes) - len(replays), 'row')} by {count(len(jobs), 'training')}"
    where = "in this process" if in_process else f"on {count(len(used), f'{used[0].kind} lane')}"
    typer.echo(f"replaying {what} {where}", err=True)
    tally = Tally(len(used))
    tally.expect([job.seconds for job in jobs])
    with TerminalProgress() as progress, closing(replay_jobs(jobs, dataset, used, in_process)) as ended:
        for job, judged, seconds in ended:
            replays.extend(judged)
            progress.show(tally.finish(job.seconds, seconds or None, failed=not seconds))
    return replays
