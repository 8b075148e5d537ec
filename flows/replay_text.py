"""What `study replay` says: a table of rows, why one is not equal, and a line that counts."""

from collections import defaultdict
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from study.replay import Replay
from study.wording import MISSING, count, percent, points

_COLUMNS = ("trial", "seed", "key", "epochs", "recorded", "again", "difference", "allowed", "verdict")
_TO_THE_LEFT = ("trial", "key", "verdict")
_CAPTION = "test accuracies in percent; differences, and what is allowed where an input differs, in points"


def tell_replays(run_id: str, replays: Sequence[Replay]) -> None:
    """Print the verdicts on rows of a run."""
    table = Table(caption=_CAPTION)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in _TO_THE_LEFT else "right", overflow="fold")
    for each in replays:
        table.add_row(*map(escape, _cells(each)), style="bold" if each.verdict == "differs" else None)
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for each in replays:
        alike[f"{each.verdict}: {each.reason}" if each.reason else ""].append(each.trial)
    for reason in filter(None, alike):
        typer.echo(f"{', '.join(alike[reason])}: {reason}")
    verdicts = [each.verdict for each in replays]
    told = ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    typer.echo(f"run {run_id}: {count(len(replays), 'row')} replayed: {told}")


def _cells(each: Replay) -> tuple[str, ...]:
    before, now = each.recorded, each.found
    place = (each.trial, str(each.seed), each.key)
    recorded = percent(before.test_accuracy, sign=False)
    if now is None:
        return *place, str(before.epochs_run), recorded, MISSING, MISSING, MISSING, each.verdict
    same = now.epochs_run == before.epochs_run
    return (
        *place,
        str(before.epochs_run) if same else f"{before.epochs_run}, now {now.epochs_run}",
        recorded,
        percent(now.test_accuracy, sign=False),
        points(now.test_accuracy - before.test_accuracy),
        points(each.tolerance).removeprefix("+") if each.differences and each.reason else MISSING,
        each.verdict,
    )
