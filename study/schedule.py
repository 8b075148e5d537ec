"""The learning rate of each epoch: constant, or falling over the epoch budget."""

import math

from study.setting import Hyperparameters


def learning_rate_at(hyperparameters: Hyperparameters, epoch: int, schedule_epochs: int | None) -> float:
    """The learning rate throughout an epoch (from 1).

    Args:
        hyperparameters: The first epoch's rate and the schedule.
        epoch: Number of the epoch, from 1.
        schedule_epochs: The budget the schedule is stretched over; None where it is constant.

    Cosine annealing as in Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    equation 5, with a minimum of 0 and no restart, stepped once an epoch.
    """
    if schedule_epochs is None:
        return hyperparameters.learning_rate
    return hyperparameters.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / schedule_epochs)) / 2
