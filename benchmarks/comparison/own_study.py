"""What this project's run of a whole study did, read from its published tables."""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.comparison.bound import Work, add_up, count_work
from benchmarks.comparison.workload import Setting
from storage.place import open_results
from storage.tables import RunFrames, read_run
from tasks.dataset import load_dataset
from tasks.setting_of import read_setting


@dataclass(frozen=True)
class OwnStudy:
    """The trials of a run, and the multiply-adds of its trainings and of its trials.

    Args:
        data: Folder with the dataset's `.npy` files.
        train_images: Images each training learnt from.
        test_images: Images it was evaluated on after each epoch.
        trials: Name of each trial's setting, its repeat, and what to train, in the table's order.
        epochs: Epochs that each trial read, by the name of what to train.
        trainings: How many trainings answered them.
        shared: Multiply-adds of the trainings, each as far as it was trained.
        unshared: The same if every trial trained on its own, as many epochs as it read.
    """

    data: Path
    train_images: int
    test_images: int
    trials: tuple[tuple[str, int, Setting], ...]
    epochs: Mapping[str, int]
    trainings: int
    shared: Work
    unshared: Work

    @property
    def repeats(self) -> Counter[str]:
        """How many repeats each setting has."""
        return Counter(name for name, _, _ in self.trials)


def read_own_study(results: Path) -> OwnStudy:
    """Read the latest run of a results folder.

    Raises:
        InputError: there is none.
        ValueError: it has failed trials, or validated on other images than the test's.
    """
    frames = read_run(open_results(results))
    if frames.run.failed_trials or frames.run.protocol != "lab":
        raise ValueError(
            f"the run has {frames.run.failed_trials} failed trials and protocol {frames.run.protocol!r}; "
            "a run of protocol 'lab' without failures is needed"
        )
    rows = frames.trials.to_dict("records")
    trials = tuple(_read_trial(row) for row in rows)
    return OwnStudy(
        data=load_dataset().folder,
        train_images=int(frames.run.train_images),
        test_images=int(frames.run.test_images),
        trials=trials,
        epochs={trial[2].name: int(row["epochs_run"]) for trial, row in zip(trials, rows, strict=True)},
        trainings=len(frames.trainings),
        shared=_count(frames, frames.trainings, "epochs_trained"),
        unshared=_count(frames, frames.trials, "epochs_run"),
    )


def _read_trial(row: Mapping[Hashable, Any]) -> tuple[str, int, Setting]:
    name, repeat = f"exercise {row['exercise']}, {row['setting']}", int(row["repeat"])
    patience = None if pd.isna(row["patience"]) else int(row["patience"])
    values = {field.name: row[field.name] for field in fields(Setting) if field.name in row}
    return name, repeat, Setting(**values | {"name": f"{name}, repeat {repeat}", "patience": patience})


def _count(frames: RunFrames, rows: pd.DataFrame, epochs: str) -> Work:
    run = frames.run
    return add_up(
        count_work(
            read_setting(row).hyperparameters,
            int(row[epochs]),
            int(run.train_images),
            int(run.test_images),
        )
        for row in rows.to_dict("records")
    )
