"""Define hyperparameters and settings, checked where they are made, and the learning rate of each epoch."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from study.fact import Fact
from study.fashion_mnist import IMAGE_SIDE
from study.wording import shown

Schedule = Literal["constant", "cosine"]
"""How the learning rate changes from epoch to epoch, see `learning_rate_at`."""

Optimizer = Literal["sgd", "adam", "adamw", "rmsprop"]
"""The rule by which gradients change the weights, as Keras has it, with Keras's other arguments."""

Augmentation = Literal["none", "flip", "shift", "flip-shift"]
"""How training images change from epoch to epoch, see `tasks.engines.seeds`."""


class Hyperparameters(Fact):
    """The values that decide the weights after each epoch, with a seed, a protocol and the data.

    The defaults are the published protocol: Conv2D(32, 3x3) - MaxPooling2D - Dense(16) - Dense(10), SGD.
    """

    filters: int = Field(32, ge=1, le=1024, description="filters of the convolution")
    kernel_size: int = Field(3, ge=1, le=IMAGE_SIDE - 1, description="side of the square kernel, pixels")
    dense_units: int = Field(16, ge=1, le=8192, description="units of the hidden dense layer")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="fraction dropped after the pooling")
    learning_rate: float = Field(0.01, gt=0.0, le=10.0, description="learning rate of the first epoch")
    momentum: float = Field(
        0.9, ge=0.0, lt=1.0, description="momentum of SGD and RMSprop, beta_1 of Adam and AdamW"
    )
    batch_size: int = Field(32, ge=1, le=10_000, description="images a step")
    schedule: Schedule = Field("constant", description="how the learning rate changes over the epochs")
    augmentation: Augmentation = Field("none", description="how training images change from epoch to epoch")
    averaging: float = Field(
        0.0, ge=0.0, lt=1.0, description="decay an epoch of the weights' moving average; 0: none"
    )
    optimizer: Optimizer = Field("sgd", description="how gradients change the weights")
    weight_decay: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="of each weight, times the learning rate, apart from the gradients",
    )

    @property
    def is_accelerated(self) -> bool:
        """Say whether our own engines compute this optimizer; the general engine computes every one."""
        return self.optimizer == "sgd" and self.weight_decay == 0


class Setting(Hyperparameters):
    """Hyperparameters and how long to train: everything a trial needs but its seed."""

    epochs: int = Field(5, ge=1, le=1000, description="most epochs to train")
    patience: int | None = Field(
        None, ge=1, le=1000, description="early stopping: epochs without a lower validation loss"
    )

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Return the part that decides the weights after each epoch."""
        return Hyperparameters(**{name: getattr(self, name) for name in Hyperparameters.model_fields})

    @property
    def schedule_epochs(self) -> int | None:
        """Return the epoch budget that the schedule is stretched over, if it is not constant in time.

        Such a training is not a prefix of one with a larger budget: the budget decides its weights.
        """
        return None if self.schedule == "constant" else self.epochs

    def with_changes(self, changes: Mapping[str, Any]) -> "Setting":
        """Return this setting with some values replaced, checked again."""
        return Setting(**{**self.model_dump(), **changes})


def check_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Check values for some of a setting's parameters, by name, and return them with their types.

    Raises:
        ValueError: a name is not a parameter, or a value is out of its range.
    """
    for name in changes:
        if name not in Setting.model_fields:
            raise ValueError(f"{name!r} is not a parameter; allowed: {', '.join(Setting.model_fields)}")
    try:
        checked = Setting(**changes)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]}={shown(first['input'])}: {first['msg']}") from error
    return {name: getattr(checked, name) for name in changes}


def learning_rate_at(hyperparameters: Hyperparameters, epoch: int, schedule_epochs: int | None) -> float:
    """Return the learning rate throughout an epoch (from 1).

    Cosine annealing as in Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    equation 5, over `schedule_epochs`, with a minimum of 0 and no restart, stepped once an epoch.
    """
    if schedule_epochs is None:
        return hyperparameters.learning_rate
    return hyperparameters.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / schedule_epochs)) / 2
