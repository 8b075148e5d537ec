"""A study small enough for a test, every kind of exercise on a few hundred images, and a finished run."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from storage.results import Results
from storage.tables.published import read_run
from tests.command import Ended, run_study

TOY = """
name: toy
title: A toy study
data: {train_images: 640, test_images: 200}
baseline: {filters: 4, dense_units: 8, epochs: 1}
exercises:
  - {number: 1, kind: images, title: Images, question: What do the images look like?}
  - {number: 2, kind: sweep, title: Filters, question: How many filters?, parameter: filters, values: [2, 4],
     repeats: 2}
  - {number: 4, kind: sweep, title: Epochs, question: How many epochs?, parameter: epochs, values: [1, 3],
     repeats: 2}
  - {number: 6, kind: sweep, title: Dropout, question: Does dropout help?, parameter: dropout,
     values: [0.0, 0.3], repeats: 2, fixed: {epochs: 3, patience: 1}}
  - {number: 7, kind: optimum, title: Optimum, question: What is best?, combine: [2, 4, 6],
     candidates: {published: {filters: 3, learning_rate: 0.001}}}
  - {number: 8, kind: model, title: Model, question: Does the saved model work?}
"""

SMALL = """
name: small
title: Two settings, two repeats
data: {train_images: 640, test_images: 200}
baseline: {filters: 4, dense_units: 8, epochs: 1}
exercises:
  - {number: 2, kind: sweep, title: Filters, question: How many filters?, parameter: filters, values: [2, 4],
     repeats: 2}
"""

SWEEPS = "".join(TOY.partition("  - {number: 7")[0])
"""Its sweeps alone: nothing of theirs needs TensorFlow."""

FULL = TOY.replace(
    "\n  - {number: 7,",
    """
  - {number: 3, kind: sweep, title: Cosine, question: How many epochs of cosine?, parameter: epochs,
     values: [1, 2], repeats: 1, fixed: {schedule: cosine, augmentation: shift, averaging: 0.5}}
  - {number: 5, kind: sweep, title: Rate, question: Which learning rate?, parameter: learning_rate,
     values: [0.05, 0.1], repeats: 2, fixed: {epochs: 9, patience: 1}}
  - {number: 7,""",
)
"""Further a schedule, under which no training is a prefix, and patience that does run out: 20 trials."""


def write_toy(folder: Path, text: str = TOY) -> Path:
    """Write the toy study as a file and return its path."""
    path = folder / "toy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True)
class FinishedRun:
    """A run that tests share: they only read it, or change a copy."""

    results: Results
    run_id: str
    study: Path
    ended: Ended

    def copied(self, folder: Path) -> "FinishedRun":
        """Its tables alone in another folder, to be changed."""
        shutil.copytree(self.results.tables, folder / "tables")
        return FinishedRun(Results(folder), self.run_id, self.study, self.ended)


def finish_toy(shared: Path) -> FinishedRun:
    """A run of the full toy study that trained everything, made once for all test processes."""
    folder = shared / "toy"
    with FileLock(shared / "toy.lock"):
        if not (folder / "ended.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            ended = run_study(write_toy(folder, FULL), folder=folder)
            assert ended.code == 0, ended.err
            (folder / "ended.json").write_text(json.dumps(ended))
    results = Results(folder / "results")
    ended = Ended(*json.loads((folder / "ended.json").read_text()))
    return FinishedRun(results, read_run(results).run.run_id, folder / "toy.yaml", ended)
