"""Measure the engines on one thread: CPU seconds of an epoch, and the part of the core's peak.

Run it with `.venv/bin/python -m benchmarks.engine` on an idle machine (about six minutes). Each cell is a
process of its own, pinned to one core, that trains a part of an epoch on the real images after a warm-up;
rounds alternate between the contestants, and the fastest round counts. `--accuracy N` trains N seeds with
each engine instead and compares the test accuracies, pair by pair.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import mean, stdev

from benchmarks.peak import measure_peak
from study.plan.cost import Shape
from study.spec.setting import Hyperparameters
from study.statistics.difference import paired
from tasks.data.dataset import load_dataset
from tasks.engines.engine import choose_engine
from tasks.lanes.devices import Device

SHAPES = {"8/16": (8, 16), "32/16": (32, 16), "32/128": (32, 128), "32/512": (32, 512), "64/16": (64, 16),
          "128/16": (128, 16)}  # fmt: skip
"""Filters and dense units."""

CONTESTANTS = ("fit", "keras", "tensorflow", "native")
IMAGES = 60_000
ROUNDS = 2

EPOCHS = 5
"""Of each training whose accuracy is compared."""

POOLED = 4
"""Places of the convolution behind one pooled value."""


def count_multiply_adds(hyperparameters: Hyperparameters, images: int) -> float:
    """Multiply-adds of an epoch of training whose product is not known to be zero.

    One image forward: the convolution, r² k² f (r = 28 - k + 1 rows, k the kernel's side, f filters), and the
    dense layers, p d + 10 d (p = (r/2)² f pooled values, d units). In training, every layer is computed again
    for the gradient of its weights, and the dense layers once more for the gradient of their input (the
    convolution's input is the image, which needs none). Behind the max pooling at most one of four places of
    the convolution has a gradient that is not zero: its weights' gradient takes r² k² f / 4. Products with
    what happens to be zero (black pixels, units that ReLU cut off) are counted.
    """
    operations = Shape.of(hyperparameters).operations
    return images * ((1 + 1 / POOLED) * operations["convolution"] + 3 * operations["dense"])


def measure(contestant: str, filters: int, units: int, images: int) -> float:
    """CPU seconds of an epoch of 60,000 images, in this process, from training on so many."""
    shape = Hyperparameters(filters=filters, dense_units=units)
    pixels, labels = load_dataset().train()
    if contestant == "fit":
        return _measure_fit(shape, pixels[:images], labels[:images]) * IMAGES / images
    from tasks.engines.engine import load_engine

    engine = load_engine(contestant)
    placed = engine.place(pixels, labels)
    trainer, _ = engine.open_trainer(shape)
    trainer.warm_up(placed)
    trainer.start(seed=1)
    trainer.train_epoch(placed, 1, 1, 0.01, images)
    started = time.process_time()
    trainer.train_epoch(placed, 1, 2, 0.01, images)
    return (time.process_time() - started) * IMAGES / images


def _measure_fit(shape: Hyperparameters, pixels, labels) -> float:
    import keras

    from tasks.data.dataset import scale_pixels
    from tasks.engines.networks import build_network

    model = build_network(shape)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    inputs, targets = scale_pixels(pixels)[..., None], keras.utils.to_categorical(labels)
    model.fit(inputs, targets, batch_size=32, epochs=1, verbose=0)
    started = time.process_time()
    model.fit(inputs, targets, batch_size=32, epochs=1, verbose=0)
    return time.process_time() - started


def run_cell(contestant: str, shape: str, images: int) -> float:
    """Measure a cell in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.engine", "--cell", contestant, shape, str(images)]
    environment = {**os.environ, **Device("CPU").environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def show_speeds(contestants: Sequence[str], images: int) -> None:
    """Measure all cells in turn and print the table."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for shape in SHAPES:
            for contestant in contestants:
                seconds.setdefault((contestant, shape), []).append(run_cell(contestant, shape, images))
    peak = measure_peak()
    print(f"peak of a core: {peak:.0f} GFLOP/s; images trained on a cell: {images:,}; fastest of {ROUNDS}")
    print(f"{'CPU seconds an epoch':24}" + "".join(f"{shape:>16}" for shape in SHAPES))
    for contestant in contestants:
        cells = []
        for shape, (filters, units) in SHAPES.items():
            best = min(seconds[contestant, shape])
            work = count_multiply_adds(Hyperparameters(filters=filters, dense_units=units), IMAGES)
            rate = 2 * work / best / 1e9
            cells.append(f"{best:7.2f} ({rate / peak:4.0%})")
        print(f"{contestant:24}" + "".join(f"{cell:>16}" for cell in cells))
    for contestant in contestants[1:]:
        ratios = [min(seconds[contestants[0], shape]) / min(seconds[contestant, shape]) for shape in SHAPES]
        print(f"{contestants[0]} / {contestant:17}" + "".join(f"{ratio:15.1f}x" for ratio in ratios))


def compare_accuracies(count: int) -> None:
    """Train the same seeds with each engine; print the paired difference of their test accuracies."""
    from tasks.engines.engine import load_engine

    dataset, shape = load_dataset(), Hyperparameters()
    accuracies: dict[str, list[float]] = {}
    for name in ("tensorflow", "native"):
        engine = load_engine(name)
        train, test = engine.place(*dataset.train()), engine.place(*dataset.test())
        for seed in range(1, count + 1):
            trainer, _ = engine.open_trainer(shape)
            trainer.start(seed)
            for epoch in range(1, EPOCHS + 1):
                trainer.train_epoch(train, seed, epoch, shape.learning_rate)
            accuracies.setdefault(name, []).append(100 * trainer.evaluate(test).accuracy)
            print(f"{name} seed {seed}: {accuracies[name][-1]:.2f}", flush=True)
    one, other = accuracies["tensorflow"], accuracies["native"]
    for name, values in accuracies.items():
        print(f"{name}: mean {mean(values):.3f}, standard deviation {stdev(values):.3f}, n {count}")
    apart = paired(one, other)
    low, high = apart.interval()
    print(f"native less tensorflow: {apart.difference:+.3f} points, 95% interval {low:+.3f} to {high:+.3f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=12_000, help="images of an epoch that are trained on")
    parser.add_argument("--accuracy", type=int, metavar="N", help="compare accuracies of N seeds instead")
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell:
        contestant, shape, images = options.cell
        print(json.dumps(measure(contestant, *SHAPES[shape], int(images))))
        return
    engine = choose_engine("auto", "CPU")
    if options.accuracy:
        compare_accuracies(options.accuracy)
    else:
        show_speeds(CONTESTANTS if engine == "native" else CONTESTANTS[:3], options.images)


if __name__ == "__main__":
    main()
