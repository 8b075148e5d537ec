"""Datasets that Keras downloads and verifies: MNIST, CIFAR-10 and CIFAR-100."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.dataset_files import DatasetMissingError
from study.wording import shortened
from tasks.data.array_files import read_npz
from tasks.data.labelled import Labelled
from tasks.environment import users_keras_home

CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR_100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
    shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
    telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

CLASS_NAMES = {"cifar10": CIFAR_10, "cifar100": tuple(_CIFAR_100.split())}
"""Class names by label (https://www.cs.toronto.edu/~kriz/cifar.html), which Keras does not give."""

SECONDS = 3600
"""Longest time of a download."""

_SAVE = """
import importlib, sys, numpy
(x_train, y_train), (x_test, y_test) = importlib.import_module(f"keras.datasets.{sys.argv[1]}").load_data()
numpy.savez(sys.argv[2], x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
"""


def read_keras_set(name: str) -> Labelled:
    """Have Keras load a dataset, from its cache or by a download, which it verifies, in another process.

    Raises:
        DatasetMissingError: Keras cannot get it.
    """
    with TemporaryDirectory() as scratch:
        path = Path(scratch, f"{name}.npz")
        environment = {**os.environ, "KERAS_HOME": users_keras_home(), "CUDA_VISIBLE_DEVICES": "-1"}
        try:
            done = subprocess.run(
                [sys.executable, "-c", _SAVE, name, str(path)], env=environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise DatasetMissingError(f"{name}: Keras took more than {SECONDS} s to download it") from error
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DatasetMissingError(
                f"{name}: Keras could not get it ({shortened(reason, 300)}); connect to the network, or give "
                "a path to its files as the study's data"
            )
        return replace(read_npz(path), class_names=CLASS_NAMES.get(name, ()))
