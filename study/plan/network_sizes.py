"""Sizes of networks of one's own, by their hyperparameters, and how alike two of them are."""

import math
from collections.abc import Mapping

from study.records import NetworkSize
from study.spec import LAB_PARAMETERS, Hyperparameters

Sizes = Mapping[Hyperparameters, NetworkSize]
"""Sizes of a network of one's own, by the hyperparameters that decide them; see `network_of`."""


def network_of(hyperparameters: Hyperparameters) -> Hyperparameters:
    """Return the hyperparameters of the network alone: those of training at their defaults."""
    names = ("network_parameters", *LAB_PARAMETERS)
    return Hyperparameters(**{name: getattr(hyperparameters, name) for name in names})


def unlike(one: Hyperparameters, other: Hyperparameters) -> float:
    """Return the doublings between the hyperparameters of two networks; 1 for each other word."""
    ours, theirs = one.values, other.values
    differing = [(each, theirs[name]) for name, each in ours.items() if each != theirs[name]]
    return math.fsum(
        abs(math.log2(a / b))
        if isinstance(a, int | float) and isinstance(b, int | float) and a > 0 < b
        else 1
        for a, b in differing
    )
