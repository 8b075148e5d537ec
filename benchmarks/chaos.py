"""Kill lanes, flows and servers at random moments; count what is lost. (`publishing.py` kills who publishes.)

Run it with `.venv/bin/python -m benchmarks.chaos` (`--kills N`, default 100; `--seed N`, default 1, repeats
whom the kills hit and after how long). A study is run undisturbed, then
again and again under fire: a killed flow is gone on with by `study resume`, a run with failed trials by
`study run`, until it is complete. Its tables are then compared with the undisturbed ones, and processes
that are left are counted. It takes a quarter of an hour on two cores and prints a table.
"""

import argparse
import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from storage.run_starts import list_interrupted
from storage.tables.published import read_run
from storage.tables.rows_of_work import TrialRow
from tests.chaos import CHAOS, Arena, hit, published, trials_of

TARGETS = (*["lane"] * 6, *["server"] * 2, "flow")
"""Whom a kill may hit; the flow seldom, as it is there from the first moment, and lanes are not."""

STUDY = CHAOS.replace("repeats: 3", "repeats: 6")
"""Twice as long as in the tests, so that most kills come while lanes train."""

LONGEST_PAUSE = 6.0
"""Seconds until the next kill, drawn evenly from 0.3 on."""

KILLS_A_STUDY = 17
"""After so many a study is left to come to its end, and the next one begins."""

DONE = 0


@dataclass
class Score:
    """What the kills did."""

    kills: Counter[str] = field(default_factory=Counter)
    studies: int = 0
    resumed: int = 0
    run_again: int = 0
    lost: int = 0
    doubled: int = 0
    unequal: int = 0
    orphans: int = 0
    retried: int = 0

    @property
    def total(self) -> int:
        """Kills in all."""
        return self.kills.total()


def disturb(
    arena: Arena, process: "subprocess.Popen[str]", dice: random.Random, score: Score, most: int
) -> None:
    """Kill at random moments until the command ends or there were enough kills."""
    while process.poll() is None and score.total < most:
        target, pause, choice = dice.choice(TARGETS), dice.uniform(0.3, LONGEST_PAUSE), dice.random()
        try:
            process.wait(pause)
            return
        except subprocess.TimeoutExpired:
            pass
        victims = {
            "lane": arena.lanes,
            "server": arena.servers,
            "flow": lambda: [psutil.Process(process.pid)],
        }[target]()
        if victims and hit(victims[int(choice * len(victims))]):
            score.kills[target] += 1
            print(f"  {score.total:4} {target} killed after {pause:.1f} s", flush=True)


def survive(arena: Arena, dice: random.Random, score: Score, most: int) -> None:
    """Run a study under fire until it is complete."""
    command: tuple[object, ...] = ("run", arena.study)
    while True:
        process = arena.start(*command)
        disturb(arena, process, dice, score, most)
        code = process.wait()
        try:
            arena.wait_until_gone()
        except TimeoutError as error:
            score.orphans += len(arena.processes())
            print(f"  left running: {error}", flush=True)
        if code == DONE:
            break
        if list_interrupted(arena.results):
            score.resumed += 1
            command = ("resume",)
        elif published(arena.results) and read_run(arena.results).run.failed_trials == 0:
            break  # it was killed when all was done
        else:
            score.run_again += bool(published(arena.results))
            command = ("run", arena.study)
    score.retried += read_run(arena.results).run.retried_trainings


def compare(score: Score, quiet: Sequence[TrialRow], trials: Sequence[TrialRow]) -> None:
    """Count rows that are lost, doubled or different."""
    expected, found = ({(row.exercise, row.setting, row.repeat) for row in rows} for rows in (quiet, trials))
    score.lost += len(expected - found)
    score.doubled += len(trials) - len(found)
    score.unequal += quiet != trials


def storm(folder: Path, kills: int, seed: int) -> Score:
    """Run studies under fire until there were enough kills."""
    dice, score = random.Random(seed), Score()
    quiet_arena = Arena(folder / "quiet", STUDY)
    if quiet_arena.run_study() != DONE:
        raise SystemExit(f"the undisturbed run failed:\n{quiet_arena.said()}")
    quiet = trials_of(quiet_arena.results)
    while score.total < kills:
        arena = Arena(folder / f"study-{score.studies}", STUDY)
        survive(arena, dice, score, min(kills, score.total + KILLS_A_STUDY))
        score.studies += 1
        compare(score, quiet, trials_of(arena.results))
        print(f"study {score.studies}: {score}", flush=True)
    return score


def main() -> None:
    """Kill, count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        score = storm(Path(name), arguments.kills, arguments.seed)
    print(f"\n{score}")
    whom = ", ".join(f"{number} {target}" for target, number in sorted(score.kills.items()))
    rows = [
        (f"SIGKILLs: {whom}", score.total),
        ("studies completed under them", score.studies),
        ("`study resume` needed", score.resumed),
        ("run again because trials had failed", score.run_again),
        ("trainings of which an attempt failed", score.retried),
        ("rows lost", score.lost),
        ("rows doubled", score.doubled),
        ("studies whose tables differ from an undisturbed run's", score.unequal),
        ("processes left running", score.orphans),
    ]
    print("\n| what | number |\n| --- | ---: |")
    print("\n".join(f"| {what} | {number} |" for what, number in rows))


if __name__ == "__main__":
    main()
