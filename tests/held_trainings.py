"""Trainings that wait in their lanes until a test lets them begin, so that none is too fast for it.

A Dask preload, asked for by the environment alone: Dask loads it where a lane is started, which has the
lane's process load it, too. That holds for lanes of `study run`, `study lane` and `study serve` alike.

A folder is all that both sides share::

    waiting.<process>   a lane's training waits, and it is reported that it has begun; the lane's process
    let.<anything>      one training may begin; the one that takes it removes the file
    let-all             trainings begin at once
"""

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

FOLDER = "TEST_HELD_TRAININGS"
"""Environment variable with the folder's path."""

_LOOK_SECONDS = 0.02
_SENT_SECONDS = 0.1
"""Until a lane's event loop has sent what it was given just now."""
_LOOKS_A_SIGN = 10
"""After how many looks a lane says that it gets on."""


class HeldTrainings:
    """The side of the test: it lets trainings begin, and sees which lanes wait."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @property
    def environment(self) -> dict[str, str]:
        """What holds the trainings of a program, and of those that it starts."""
        return {FOLDER: str(self._folder), "DASK_DISTRIBUTED__NANNY__PRELOAD": __name__}

    def let(self, number: int) -> None:
        """Let some trainings begin, beside those that were let begin before."""
        for _ in range(number):
            (self._folder / f"let.{secrets.token_hex(8)}").touch()

    def let_all(self) -> None:
        """Let every training begin, from now on."""
        (self._folder / "let-all").touch()

    def hold(self) -> None:
        """Hold every training that has not begun."""
        (self._folder / "let-all").unlink(missing_ok=True)

    def has_let_all_begin(self) -> bool:
        """Whether all that were let begin have begun, and a further one waits."""
        return not list(self._folder.glob("let.*")) and bool(self.lanes())

    def lanes(self) -> list[psutil.Process]:
        """The lanes in which a training waits."""
        return [each for path in self._folder.glob("waiting.*") for each in _alive(int(path.suffix[1:]))]


def _alive(process: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process)
        return [found] if found.status() != psutil.STATUS_ZOMBIE else []
    return []


def dask_setup(server: Any) -> None:
    """Hold the trainings of a lane; Dask calls this by its name where a lane is started, and in the lane."""
    from distributed import Nanny

    if isinstance(server, Nanny):
        server.preload = [*server.preload, __name__]
        return
    from tasks.training import one_training as run_training

    train = run_training.run_training

    def wait_and_train(*arguments: Any) -> run_training.Trained:
        _wait(Path(os.environ[FOLDER]))
        return train(*arguments)

    run_training.run_training = wait_and_train  # type: ignore[assignment]  # takes whatever that takes


def _wait(folder: Path) -> None:
    from distributed import get_worker

    from tasks.lanes.process import report_progress

    mark, looks = folder / f"waiting.{os.getpid()}", 0
    report_progress()
    # A lane that is stopped before the flow has heard this counts as one that starts, not as one that hangs.
    loop = get_worker().loop
    loop.add_callback(loop.call_later, _SENT_SECONDS, mark.touch)
    while not (mark.exists() and _may_begin(folder)):
        looks += 1
        if looks % _LOOKS_A_SIGN == 0:
            report_progress()
        time.sleep(_LOOK_SECONDS)
    mark.unlink()


def _may_begin(folder: Path) -> bool:
    if (folder / "let-all").exists():
        return True
    for each in folder.glob("let.*"):
        with suppress(FileNotFoundError):  # another lane has taken it
            each.unlink()
            return True
    return False
