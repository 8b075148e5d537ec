"""The command `study replay`: train published rows again, from their columns alone, and compare."""

import json
import secrets
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from flows.cli.options import FAILED, DataOption, DebuggableLanesOption, ResultsOption, use_cpu_here
from flows.cli.run import stopping_in_order
from flows.shown import SweepCounter, TerminalProgress, print_table
from storage.results import results_at
from storage.tables import list_runs, read_run
from study.conclusions import Recipe, Replay
from study.errors import InputError
from study.plan import Expected
from study.spec import NetworkFile, read_study
from study.wording import MISSING, count, percent, points
from tasks.data import Dataset, load_images
from tasks.lanes import InProcessLane, LocalLanes, choose_devices, usable_gpus
from tasks.tables import read_study_of
from tasks.training import choose_rows, read_recipes, retrain, sort_out

_SEEDS = 1_000_000
"""Number of seeds to draw from if none is given: short enough to type again."""

_COLUMNS = ("trial", "seed", "key", "epochs", "recorded", "again", "difference", "allowed", "verdict")
_TO_THE_LEFT = ("trial", "key", "verdict")
_CAPTION = "test accuracies in percent; differences, and those allowed if an input differs, in points"


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
        int | None, typer.Option("--random", metavar="N", help="N rows, drawn at random.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="S", help="Seed of the draw. Default: a new one each time."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="A run's id. Default: the latest.")
    ] = None,
    study: Annotated[
        str,
        typer.Option(
            "--study", metavar="FILE", help="The study's file: needed if it has a network of its own."
        ),
    ] = "",
    results: ResultsOption = "results",
    data: DataOption = None,
    lanes: DebuggableLanesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
) -> None:
    """Train rows of a published run again, from their columns alone, and compare weights and readings.

    `equal`: the hash of the weights and every reading are the same, to the bit, as they must be on the same
    software and processor. `within tolerance`: they are not, an input differs, and the accuracies differ no
    more than was measured for such inputs. `differs`: everything else; exit code 1. The first differing input
    is named. Kept trainings are neither read nor written.

    Examples: `study replay --random 3`; `study replay --trial 4/epochs=20/1`.
    """
    if lanes == 0:
        use_cpu_here()
    with stopping_in_order(["nothing was written"]):
        place = results_at(results)
        tables = read_run(place, run)
        run_id, kind = tables.run.run_id, tables.run.device
        rows = choose_rows(tables.trials, keys or (), trial or (), number, _choose_seed(number, seed))
        recipes = read_recipes(rows, tables, list_runs(place))
        model = read_study(study).model if study else None
        images = load_images(read_study_of(tables).data, data)
        replays = _replay(recipes, images, kind, lanes, model and model.source)
    if as_json:
        typer.echo(json.dumps([{"run_id": run_id, **each.model_dump()} for each in replays], indent=1))
    else:
        _print_replays(run_id, replays)
    if any(each.verdict == "differs" for each in replays):
        sys.exit(FAILED)


def _choose_seed(number: int | None, seed: int | None) -> int:
    """Return the seed of the draw; print it if it was drawn, so that the draw can be repeated."""
    if seed is not None:
        if number is None:
            raise InputError(f"--seed: {seed} needs a draw; give --random N, too")
        return seed
    drawn = secrets.randbelow(_SEEDS)
    if number is not None:
        typer.echo(f"{count(number, 'row')} drawn with --seed {drawn}", err=True)
    return drawn


def _replay(
    recipes: Sequence[Recipe], dataset: Dataset, kind: str, lanes: int | None, network: NetworkFile | None
) -> list[Replay]:
    """Train and show the progress; return verdicts in the order of the recipes."""
    # On the recorded kind of device; if this machine has none of it, on its own devices.
    devices = choose_devices(lanes or None, find_gpus=usable_gpus if kind == "GPU" and lanes != 0 else list)
    replays, retrainings = sort_out(recipes, dataset, devices[0].kind, network)
    if retrainings:
        used = InProcessLane() if lanes == 0 else LocalLanes(devices[: len(retrainings)])
        where = "in this process" if lanes == 0 else f"on {count(used.most, f'{used.kind} lane')}"
        rows = count(len(recipes) - len(replays), "row")
        typer.echo(f"replaying {rows} by {count(len(retrainings), 'training')} {where}", err=True)
        tally = SweepCounter(used.most)
        tally.expect(
            {
                each.training.key: Expected(
                    each.seconds, each.training.most_epochs, each.training.most_epochs
                )
                for each in retrainings
            }
        )
        keys = {each.training.label: each.training.key for each in retrainings}
        with TerminalProgress() as view, closing(retrain(retrainings, used)) as ended:
            for each, judged, seconds in ended:
                replays.extend(judged)
                epoch_seconds = seconds / each.training.most_epochs if seconds else None
                tally.finish(each.training.key, epoch_seconds, failed=not seconds)
                running = {keys[label]: progress for label, progress in used.running().items()}
                view.show(tally.standing(running))
    order = {recipe.trial: at for at, recipe in enumerate(recipes)}
    return sorted(replays, key=lambda each: order[each.trial])


def _print_replays(run_id: str, replays: Sequence[Replay]) -> None:
    """Print a table of rows, the reason of each difference, and a line of counts."""
    table = Table(caption=_CAPTION)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in _TO_THE_LEFT else "right", overflow="fold")
    for each in replays:
        table.add_row(*map(escape, _cells(each)), style="bold" if each.verdict == "differs" else None)
    print_table(table, 140)
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for each in replays:
        if each.reason:
            alike[f"{each.verdict}: {each.reason}"].append(each.trial)
    for reason, trials in alike.items():
        typer.echo(f"{', '.join(trials)}: {reason}")
    verdicts = [each.verdict for each in replays]
    counted = ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    typer.echo(f"run {run_id}: {count(len(replays), 'row')} replayed: {counted}")


def _cells(each: Replay) -> tuple[str, ...]:
    before, now = each.recorded, each.found
    epochs = str(before.epochs_run)
    again, difference, allowed = MISSING, MISSING, MISSING
    if now is not None:
        epochs += "" if now.epochs_run == before.epochs_run else f", now {now.epochs_run}"
        again = percent(now.test_accuracy, sign=False)
        difference = points(now.test_accuracy - before.test_accuracy)
        if each.differences and each.reason:
            allowed = points(each.tolerance).removeprefix("+")
    recorded = percent(before.test_accuracy, sign=False)
    return each.trial, str(each.seed), each.key, epochs, recorded, again, difference, allowed, each.verdict
