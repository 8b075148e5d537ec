"""Measure the general engine beside Keras's `fit`, on a network of one's own and on the lab's.

Run it with `.venv/bin/python -m benchmarks.network` (about two minutes). Each cell is a process of its own on
one thread that trains the same images in batches of 32 after a warm-up of one epoch; rounds alternate between
the contestants, and the fastest round counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from study.fashion_mnist import FASHION_IMAGES
from study.spec.network import read_network
from study.spec.setting import Hyperparameters
from tasks.data.dataset import load_dataset, scale_pixels
from tasks.lanes.devices import Device

NETWORK = """
import keras

def build(input_shape, classes, *, width: int = 8):
    layers = [keras.Input(input_shape)]
    for number in range(2):
        layers += [keras.layers.Conv2D(width * 2**number, 3, padding="same", activation="relu"),
                   keras.layers.MaxPooling2D(2)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential(layers)
"""
"""Two convolutions."""

CASES = {"two convolutions, sgd": ("sgd", False), "two convolutions, adam": ("adam", False),
         "the lab's, adam": ("adam", True)}  # fmt: skip
CONTESTANTS = ("fit", "keras")


def measure(contestant: str, case: str, images: int) -> float:
    """Return the CPU seconds of an epoch of so many images, in this process."""
    from tasks.engines.engine import load_engine
    from tasks.engines.keras_engine import make_optimizer
    from tasks.engines.networks import build_network

    optimizer, is_lab = CASES[case]
    hyperparameters = Hyperparameters(optimizer=optimizer, learning_rate=0.001)
    pixels, labels = (np.asarray(each[:images]) for each in load_dataset().train())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "network.py").write_text(NETWORK, encoding="utf-8")
        own = read_network("network.py:build", Path(folder), ())
        network = None if is_lab else own.source
        if not is_lab:
            values = {name: each.default for name, each in own.parameters.items()}
            hyperparameters = Hyperparameters(
                **{**hyperparameters.model_dump(), "network_parameters": values}
            )
        if contestant == "keras":
            engine = load_engine("keras")
            placed = engine.place(pixels, labels)
            trainer, _ = engine.open_trainer(hyperparameters, 1, FASHION_IMAGES, network)
            trainer.start(seed=1)
            trainer.train_epoch(placed, 1, 1, 0.001)
            started = time.process_time()
            trainer.train_epoch(placed, 1, 2, 0.001)
            return time.process_time() - started
        model = build_network(hyperparameters, FASHION_IMAGES, network)
        model.compile(
            make_optimizer(hyperparameters), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        inputs = scale_pixels(pixels)[..., None]
        model.fit(inputs, labels, batch_size=32, epochs=1, verbose=0)
        started = time.process_time()
        model.fit(inputs, labels, batch_size=32, epochs=1, verbose=0)
        return time.process_time() - started


def run_cell(contestant: str, case: str, images: int) -> float:
    """Measure a cell in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.network", "--cell", contestant, case, str(images)]
    environment = {**os.environ, **Device("CPU").environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=12_000, help="images of an epoch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell:
        contestant, case, images = options.cell
        print(json.dumps(measure(contestant, case, int(images))))
        return
    print(f"{'CPU seconds an epoch':26}{'fit':>8}{'keras':>8}{'fit / keras':>14}")
    for case in CASES:
        seconds: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for contestant in CONTESTANTS:
                seconds.setdefault(contestant, []).append(run_cell(contestant, case, options.images))
        fit, ours = (min(seconds[name]) for name in CONTESTANTS)
        print(f"{case:26}{fit:8.2f}{ours:8.2f}{fit / ours:13.1f}x", flush=True)


if __name__ == "__main__":
    main()
