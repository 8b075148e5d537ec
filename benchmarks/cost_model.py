"""Measure the speed of many shapes, fit the rates of study/plan/cost.py, and say how far it is off.

Run it with `.venv/bin/python -m benchmarks.cost_model` on an idle machine (half a minute): it prints the
rates that stand there, the error of the formula alone, and that of the corrected formula for each shape when
that shape itself was not measured.
"""

import argparse
import math
from statistics import mean
from typing import get_args

import numpy as np
from scipy.optimize import nnls

from study.plan.cost import ENGINE_COSTS, Amount, CostModel, Shape, Speed
from study.spec.setting import Hyperparameters
from study.spec.study import EngineName
from study.spec.study_file import read_study
from tasks.data.dataset import load_dataset
from tasks.engines.engine import choose_engine
from tasks.lanes.devices import choose_devices
from tasks.lanes.local import LocalLanes
from tasks.training.speeds import measure_speeds
from tasks.training.train_on_lanes import describe_source

LAB = Amount(60_000, 10_000)

GRID = [
    *({"filters": filters} for filters in (8, 16, 32, 64, 128)),
    *({"dense_units": units} for units in (64, 128, 256, 512)),
    *({"filters": filters, "dropout": 0.3} for filters in (8, 32, 64)),
    *({"kernel_size": side} for side in (5, 7)),
    *({"batch_size": batch} for batch in (16, 64, 128)),
    {"filters": 64, "dense_units": 250},
    {"filters": 64, "kernel_size": 5, "dense_units": 256, "batch_size": 64},
    {"dense_units": 512, "dropout": 0.3},
    {"augmentation": "flip-shift"},
]
"""The shapes of the lab study and their neighbours."""


def fit(speeds: list[Speed], kinds: list[str], name: str) -> dict[str, float]:
    """Non-negative rates with the least sum of squared relative errors."""
    rows, seconds = [], [getattr(speed, name) for speed in speeds]
    for speed in speeds:
        operations = Shape.of(speed.hyperparameters).operations
        rows.append([operations[kind] for kind in kinds])
    matrix = np.array(rows) / np.array(seconds)[:, None]
    scale = matrix.max(axis=0)
    rates, _ = nnls(matrix / scale, np.ones(len(seconds)))
    return {kind: float(rate) for kind, rate in zip(kinds, rates / scale, strict=True)}


def error(model: CostModel, speed: Speed) -> float:
    """Predicted over measured seconds of an epoch, less one."""
    measured = LAB.train_images * speed.train_seconds + LAB.evaluation_images * speed.evaluation_seconds
    return model.epoch_seconds(speed.hyperparameters, LAB) / measured - 1


def main() -> None:
    """Measure, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=get_args(EngineName), default="native")
    engine = parser.parse_args().engine
    choose_engine(engine, "CPU")
    shapes = [Hyperparameters(**changes) for changes in GRID]
    dataset = load_dataset()
    source = describe_source(read_study("lab"), dataset, "CPU", engine)
    with LocalLanes(choose_devices()) as lanes:
        speeds = measure_speeds(lanes, source, dataset, shapes)
    costs = ENGINE_COSTS[engine]
    for label, rates, name in (
        ("train", costs.train, "train_seconds"),
        ("evaluation", costs.evaluation, "evaluation_seconds"),
    ):
        fitted = fit(speeds, list(rates), name)
        print(f"{label} =", {kind: float(f"{rate:.2g}") for kind, rate in fitted.items()})
    print("\nerror of an epoch's predicted seconds, with study/plan/cost.py as it stands")
    print(f"{'shape':60} {'s/epoch':>8} {'formula':>8} {'corrected':>9}")
    corrected = []
    for speed in speeds:
        others = [other for other in speeds if other is not speed]
        bare = error(CostModel(engine=engine), speed)
        mended = error(CostModel(others, engine=engine), speed)
        corrected.append(math.log1p(mended))
        seconds = LAB.train_images * speed.train_seconds + LAB.evaluation_images * speed.evaluation_seconds
        changes = GRID[speeds.index(speed)]
        print(f"{changes!s:60} {seconds:8.2f} {bare:+8.0%} {mended:+9.0%}")
    print(f"\nroot mean square of the logarithm, corrected: {math.sqrt(mean(e * e for e in corrected)):.2f}")


if __name__ == "__main__":
    main()
