"""Measure how far apart replays of one recipe end on other processors and engines.

Run it with `.venv/bin/python -m benchmarks.replay` (minutes on two cores; `--quick` leaves out the trainings
on all images). Other processors are imitated: the native engine is compiled for other instruction sets of
x86-64, which add in another order or without fused multiplication; the other engine stands for a change of
software as large as any. Every recipe is trained by each, and its test accuracy held against that of the
engine compiled for this processor. It prints, for each kind of recipe and arm, how many weights were the same
to the bit, and the median, 90% quantile and largest of the absolute differences in points of test accuracy:
the source of the tolerances in `study/conclusions/replay.py`.
"""

import argparse
import multiprocessing
import os
from collections.abc import Mapping, Sequence

import numpy as np

from study.plan.plan import Training
from study.records.record import Source, StopRule
from study.spec.setting import Hyperparameters
from study.spec.study import EngineName

HERE = "native"
"""The arm that the others are held against: compiled for this processor."""

ARMS = (HERE, "x86-64-v2", "x86-64-v3", "x86-64-v4", "tensorflow")
"""What trains: instruction sets for `-march`, as in the psABI of x86-64, and the other engine."""

FULL, SMOKE = (60_000, 10_000), (2_000, 1_000)
"""Training and test images: all of them, and those of `studies/smoke.yaml`."""

UNSTABLE = 0.1
"""The learning rate at which trainings may collapse: another bit in the weights may decide which do."""

Case = tuple[tuple[int, int], Hyperparameters, int, int]
"""Images, hyperparameters, epochs and seed."""

Result = tuple[str, float]
"""Hash of the weights and test accuracy."""


def list_cases(quick: bool) -> list[Case]:
    """The recipes: few epochs each, as most of a difference is there after one."""
    shape = {"filters": 8, "dense_units": 16}
    small: list[Case] = [
        (SMOKE, Hyperparameters(**shape, learning_rate=rate), epochs, seed)
        for rate, epochs in ((0.01, 1), (0.01, 4), (0.001, 2), (UNSTABLE, 2))
        for seed in range(1, 13)
    ]
    large: list[Case] = [
        (FULL, hyperparameters, epochs, seed)
        for hyperparameters, epochs in (
            (Hyperparameters(), 1),
            (Hyperparameters(), 5),
            (Hyperparameters(filters=8, dropout=0.3), 3),
            (Hyperparameters(learning_rate=0.001), 1),
            (Hyperparameters(learning_rate=UNSTABLE), 1),
        )
        for seed in range(1, 11)
    ]
    return small if quick else small + large


def train_all(arm: str, cases: Sequence[Case]) -> list[Result]:
    """Train every case by one arm, in a process that has trained by no other."""
    from tasks.data.dataset import load_dataset
    from tasks.engines import native_library
    from tasks.training.one_training import run_training

    engine: EngineName = "tensorflow" if arm == "tensorflow" else "native"
    if engine == "native":
        native_library.FLAGS = tuple(
            f"-march={arm}" if each.startswith("-march=") else each for each in native_library.FLAGS
        )
        native_library.prepare_native_library()
    whole, found = load_dataset(), []
    for images, hyperparameters, epochs, seed in cases:
        source = Source(
            protocol="lab", data="", held_out_images=0, model="", tensorflow="", device="CPU", engine=engine
        )
        training = Training(
            hyperparameters=hyperparameters,
            seed=seed,
            source=source,
            rules=(StopRule(epochs=epochs),),
            label=arm,
        )
        last = run_training(training, whole.first(*images), arm).record.epochs[-1]
        found.append((last.weights_sha256, last.test_accuracy))
    return found


def measure(cases: Sequence[Case], workers: int) -> dict[str, list[Result]]:
    """What each arm found; an instruction set that this processor lacks is left out."""
    from tasks.lanes.devices import Device

    os.environ.update(Device("CPU").environment)
    context = multiprocessing.get_context("spawn")
    found = {}
    with context.Pool(workers, maxtasksperchild=1) as pool:
        pending = {arm: pool.apply_async(train_all, (arm, cases)) for arm in _usable_arms()}
        for arm, result in pending.items():
            found[arm] = result.get()
    return found


def _usable_arms() -> list[str]:
    """The arms whose instructions this processor has: another's would end the process."""
    from pathlib import Path

    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    needed: Mapping[str, str] = {"x86-64-v2": "sse4_2", "x86-64-v3": "avx2", "x86-64-v4": "avx512vl"}
    return [arm for arm in ARMS if needed.get(arm, "") in flags]


def describe(cases: Sequence[Case], found: Mapping[str, Sequence[Result]]) -> list[str]:
    """A line for each arm, by number of images and learning rate."""
    others = [arm for arm in found if arm != HERE]
    lines = ["images  learning rate  arm         replays  same bits  median   90%  largest"]
    for images in dict.fromkeys(case[0] for case in cases):
        for rate in (f"below {UNSTABLE}", f"{UNSTABLE}"):
            for arm in others:
                pairs = [
                    (found[HERE][at], found[arm][at])
                    for at, case in enumerate(cases)
                    if case[0] == images and (case[1].learning_rate >= UNSTABLE) is (rate == f"{UNSTABLE}")
                ]
                lines.append(f"{images[0]:>6,}  {rate:<13}  {arm:<10}  {_figures(pairs)}")
    return lines


def _figures(pairs: Sequence[tuple[Result, Result]]) -> str:
    apart = [100 * abs(mine[1] - other[1]) for mine, other in pairs]
    same = sum(mine[0] == other[0] for mine, other in pairs)
    median, most = np.quantile(apart, (0.5, 0.9))
    return f"{len(pairs):>7}  {same:>9}  {median:>6.2f}  {most:>4.2f}  {max(apart):>7.2f}"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the small trainings")
    parser.add_argument("--workers", type=int, default=1, help="arms trained at once")
    given = parser.parse_args()
    cases = list_cases(given.quick)
    print("\n".join(describe(cases, measure(cases, given.workers))))


if __name__ == "__main__":
    main()
