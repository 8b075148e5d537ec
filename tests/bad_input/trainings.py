"""Kept trainings that are damaged: `study verify` names them, and a run trains them again."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from storage.results import Results, open_results
from storage.trainings import Arrays, hash_weights, save_training
from study.plan.plan import Training
from study.records.record import Source, StopRule
from study.spec.setting import Hyperparameters
from tests import simulated
from tests.bad_input.case import Case
from tests.bad_input.sound import edit_record
from tests.frames import make_record

WEIGHTS: Arrays = [np.arange(6, dtype=np.float32).reshape(2, 3)]
SOURCE = Source(protocol="lab", data="d", held_out_images=0, model="2", tensorflow="2.21.0", device="CPU")

Change = Callable[[Path], object]
"""Changes something in a training's folder."""


def keep_training(results: Results) -> str:
    """Keep a simulated training of two epochs; return its key."""
    training = Training(
        hyperparameters=Hyperparameters(), seed=1, source=SOURCE, rules=(StopRule(epochs=2),),
        label="baseline seed=1",
    )  # fmt: skip
    first, second = simulated.train(training.hyperparameters, 1)[:2]
    last = second.model_copy(update={"weights_sha256": hash_weights(WEIGHTS)})
    update = {"optimizer_sha256": hash_weights(WEIGHTS)}
    record = make_record(training, (first, last)).model_copy(update=update)
    save_training(results, record, {2: WEIGHTS}, WEIGHTS)
    return training.key


def _training(change: Change) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        key = keep_training(open_results(folder / "results"))
        change(folder / "results" / "trainings" / key)
        return ["verify"]

    return prepare


def _locked(folder: Path) -> list[object]:
    _training(lambda kept: kept.parent.chmod(0))(folder)
    return ["trainings"]


def _one_locked(folder: Path) -> list[object]:
    _training(lambda kept: kept.chmod(0))(folder)
    return ["trainings"]


def _cut(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:60])

    return change


def _replaced(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def _without_an_epoch(folder: Path) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text())["record"]
    edit_record(path, record={**record, "epochs": record["epochs"][:1]})


def _other_weights() -> bytes:
    made = io.BytesIO()
    np.savez(made, WEIGHTS[0] + 1)
    return made.getvalue()


def _pickled() -> bytes:
    made = io.BytesIO()
    np.savez(made, np.array([{}], dtype=object))
    return made.getvalue()


CASES = (
    *(
        Case(given, _training(change), 1, unprivileged="may not be read" in given)
        for given, change in (
            ("a record cut short", _cut("record.json")),
            ("a record that is a text", _replaced("record.json", b"not a record")),
            ("a record nested 100,000 deep", _replaced("record.json", b"[" * 100_000)),
            ("a record of a newer format", lambda folder: edit_record(folder / "record.json", format=99)),
            ("a record without one of its epochs", _without_an_epoch),
            (
                "a record whose checksum does not fit",
                lambda f: edit_record(f / "record.json", sha256="0" * 64),
            ),
            (
                "a training under another key",
                lambda folder: folder.rename(folder.with_name("0123456789abcdef")),
            ),
            ("a record that is not there", lambda folder: (folder / "record.json").unlink()),
            ("weights cut short", _cut("weights-2.npz")),
            ("weights that are a text", _replaced("weights-2.npz", b"not weights")),
            ("weights that would run code", _replaced("weights-2.npz", _pickled())),
            ("other weights", _replaced("weights-2.npz", _other_weights())),
            ("weights that are not there", lambda folder: (folder / "weights-2.npz").unlink()),
            ("an optimizer's state cut short", _cut("optimizer-2.npz")),
            ("weights that may not be read", lambda folder: (folder / "weights-2.npz").chmod(0)),
            ("a folder that may not be read", lambda folder: folder.chmod(0)),
        )
    ),
    Case("all trainings in a folder that may not be read", _locked, unprivileged=True),
)

FINE = (Case("one that may not be read, to `study trainings`", _one_locked, 0, unprivileged=True),)
