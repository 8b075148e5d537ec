"""What every contestant trains: the settings of a study, as plain values that need none of our packages."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

WORKERS = 2
"""Processes that train at a time, for every contestant that can."""


@dataclass(frozen=True)
class Setting:
    """One trial: hyperparameters and how long to train."""

    name: str
    filters: int
    kernel_size: int
    dense_units: int
    dropout: float
    learning_rate: float
    momentum: float
    batch_size: int
    epochs: int


@dataclass(frozen=True)
class Workload:
    """The trials, and which images they train and validate on: the first ones in the order of the files."""

    data: Path
    """Folder with the dataset's four `.npy` files."""
    train_images: int
    test_images: int
    settings: tuple[Setting, ...]

    @property
    def epochs(self) -> int:
        """Epochs of all trials."""
        return sum(setting.epochs for setting in self.settings)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self) | {"data": str(self.data)}, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Workload":
        """Read what `write` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        settings = tuple(Setting(**each) for each in content.pop("settings"))
        return cls(Path(content.pop("data")), settings=settings, **content)

    def load(self) -> tuple[Any, Any, Any, Any]:
        """Training images (n, 28, 28) and labels (n,), then those of the test: uint8."""
        return (
            *(np.load(self.data / f"train-{kind}.npy")[: self.train_images] for kind in ("images", "labels")),
            *(np.load(self.data / f"t10k-{kind}.npy")[: self.test_images] for kind in ("images", "labels")),
        )


@dataclass(frozen=True)
class Answer:
    """What a contestant says of one trial: accuracy on the test images (fraction) after its last epoch."""

    name: str
    accuracy: float
    epochs: int


def write_answers(path: Path, answers: list[Answer]) -> None:
    """Write the answers as JSON."""
    path.write_text(json.dumps([asdict(each) for each in answers], indent=1), encoding="utf-8")


def read_answers(path: Path) -> list[Answer]:
    """Read what `write_answers` wrote."""
    return [Answer(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
