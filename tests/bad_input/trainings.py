"""Kept trainings that may not be read, or are damaged; tests/storage has every kind of damage."""

from collections.abc import Callable
from pathlib import Path

from storage.results import open_results
from tests.bad_input.case import Case
from tests.storage.test_trainings import save


def _training(command: str, change: Callable[[Path], object]) -> Callable[[Path], list[object]]:
    """A command, given a kept training in whose folder something was changed."""

    def prepare(folder: Path) -> list[object]:
        results = open_results(folder / "results")
        change(results.trainings / save(results).key)
        return [command]

    return prepare


def _lock(name: str = "") -> Callable[[Path], object]:
    return lambda folder: (folder / name).chmod(0)


CASES = (
    Case("a record that is not there", _training("verify", lambda kept: (kept / "record.json").unlink()), 1),
    Case("weights that may not be read", _training("verify", _lock("weights-2.npz")), 1, unprivileged=True),
    Case("a folder that may not be read", _training("verify", _lock()), 1, unprivileged=True),
    Case("all in a folder that may not be read", _training("trainings", _lock("..")), unprivileged=True),
)

FINE = (Case("one that may not be read, in a list", _training("trainings", _lock()), 0, unprivileged=True),)
