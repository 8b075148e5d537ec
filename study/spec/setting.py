"""Define hyperparameters and settings, checked where they are made, and the learning rate of each epoch."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from study.fact import Fact
from study.fashion_mnist import IMAGE_SIDE
from study.spec.network import LAB_PARAMETERS, Network, Value
from study.wording import shown

Schedule = Literal["constant", "cosine"]
"""How the learning rate changes from epoch to epoch, see `learning_rate_at`."""

Optimizer = Literal["sgd", "adam", "adamw", "rmsprop"]
"""The rule by which gradients change the weights, as Keras has it, with Keras's other arguments."""

Augmentation = Literal["none", "flip", "shift", "flip-shift"]
"""How training images change from epoch to epoch, see `tasks.engines.seeds`."""


_network: ContextVar[Network | None] = ContextVar("network", default=None)
"""The network of the study that is being read; None: the lab's."""


@contextmanager
def reading_for(network: Network | None) -> Iterator[None]:
    """Read the settings of a study with this network inside the block: its hyperparameters are known."""
    before = _network.set(network)
    try:
        yield
    finally:
        _network.reset(before)


def _sort_pairs(values: Any) -> Any:
    return tuple(sorted(values.items())) if isinstance(values, Mapping) else values


OwnValues = Annotated[tuple[tuple[str, Value], ...], BeforeValidator(_sort_pairs), PlainSerializer(dict)]
"""Names and values, sorted; a mapping where it is given and written."""


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

    network_parameters: OwnValues = Field(
        (), description="of a network of one's own, by name", exclude_if=lambda values: not values
    )

    @property
    def values(self) -> dict[str, Value | None]:
        """Return every value by its name, those of a network of one's own, too."""
        names = [name for name in type(self).model_fields if name != "network_parameters"]
        return {name: getattr(self, name) for name in names} | dict(self.network_parameters)

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
        own = dict(self.network_parameters)
        own |= {name: type(own[name])(each) for name, each in changes.items() if name in own}
        others = {name: each for name, each in changes.items() if name not in own}
        return Setting(**{**self.model_dump(), **others, "network_parameters": own})

    @model_validator(mode="before")
    @classmethod
    def _gather_own(cls, values: Any) -> Any:
        """Take the hyperparameters of the study's network by their names; others are at their defaults."""
        network = _network.get()
        if network is None or not isinstance(values, Mapping):
            return values
        values = {name: each.default for name, each in network.parameters.items()} | dict(values)
        own = dict(values.pop("network_parameters", {})) or {name: values[name] for name in network.own}
        if own.keys() != network.own.keys():
            raise ValueError(f"network_parameters: {shown(own)} are not those of {network.name}")
        values = {name: each for name, each in values.items() if name not in own}
        return {**network.check(values), "network_parameters": network.check(own)}


def parameter_names() -> tuple[str, ...]:
    """Return the names of a setting's parameters, those of the network of the study that is being read."""
    network = _network.get()
    names = [name for name in Setting.model_fields if name != "network_parameters"]
    if network is None:
        return tuple(names)
    training = [name for name in names if name not in LAB_PARAMETERS]
    return (*network.parameters, *training)


TRAINING_PARAMETERS = tuple(name for name in parameter_names() if name not in LAB_PARAMETERS)
"""The hyperparameters and other parameters of training, which go with every network."""


def check_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Check values for some of a setting's parameters, by name, and return them with their types.

    Raises:
        ValueError: a name is not a parameter, or a value is out of its range.
    """
    for name in changes:
        if name not in parameter_names():
            raise ValueError(f"{name!r} is not a parameter; allowed: {', '.join(parameter_names())}")
    try:
        checked = Setting(**changes)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise ValueError(first["msg"].removeprefix("Value error, ")) from error
        raise ValueError(f"{first['loc'][0]}={shown(first['input'])}: {first['msg']}") from error
    return {name: checked.values[name] for name in changes}


def learning_rate_at(hyperparameters: Hyperparameters, epoch: int, schedule_epochs: int | None) -> float:
    """Return the learning rate throughout an epoch (from 1).

    Cosine annealing as in Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    equation 5, over `schedule_epochs`, with a minimum of 0 and no restart, stepped once an epoch.
    """
    if schedule_epochs is None:
        return hyperparameters.learning_rate
    return hyperparameters.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / schedule_epochs)) / 2
