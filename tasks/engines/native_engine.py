"""The native engine: whole epochs in C++, straight from the dataset's files; it never imports TensorFlow."""

import time
from dataclasses import dataclass

import numpy as np

from storage.trainings import Arrays
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.records import NetworkSize
from study.spec import Hyperparameters, NetworkFile
from tasks.engines.engine import Score
from tasks.engines.native_library import NativeLibrary, open_native_library
from tasks.engines.seeds import augment, draw_initial_weights, dropout_keys, epoch_order


@dataclass(frozen=True)
class NativeImages:
    """Images in place, (n, 28, 28) uint8, labels (n,) uint8, and the indices in use (m,) int32."""

    pixels: np.ndarray
    labels: np.ndarray
    chosen: np.ndarray

    def __len__(self) -> int:
        """Return the number in use."""
        return len(self.chosen)


class NativeEngine:
    """Trains on a CPU core with the compiled library.

    Raises:
        NativeUnavailable: it was not compiled for this processor.
    """

    def __init__(self) -> None:
        self._library = open_native_library()

    def place(self, pixels: np.ndarray, labels: np.ndarray, chosen: np.ndarray | None = None) -> NativeImages:
        """Refer to the arrays without a copy: all lanes share the memory of memory-mapped files."""
        indices = np.arange(len(labels)) if chosen is None else chosen
        return NativeImages(pixels, labels, indices.astype(np.int32))

    def open_trainer(
        self,
        hyperparameters: Hyperparameters,
        threads: int = 1,
        images: ImageFacts = FASHION_IMAGES,
        network: NetworkFile | None = None,
    ) -> tuple["_NativeTrainer", bool]:
        """Return a trainer; it needs no warm-up. `choose_engine` refuses images of other sizes."""
        del images
        return _NativeTrainer(self._library, hyperparameters, threads), False

    def device_name(self) -> str:
        """Return CPU, always."""
        return "CPU"


class _NativeTrainer:
    """Parameters and momenta in one array each, and the library that changes them: a `Trainer`."""

    size: NetworkSize | None = None

    def __init__(self, library: NativeLibrary, hyperparameters: Hyperparameters, threads: int) -> None:
        self._library, self._hyperparameters, self._threads = library, hyperparameters, threads
        self._shapes: list[tuple[int, ...]] = []
        self._parameters = self._momenta = np.zeros(0, np.float32)

    def warm_up(self, images: NativeImages) -> float:
        return 0.0

    def start(self, seed: int) -> None:
        weights = draw_initial_weights(self._hyperparameters, seed)
        self.resume(weights, [np.zeros_like(each) for each in weights])

    def resume(self, weights: Arrays, momenta: Arrays) -> None:
        self._shapes = [each.shape for each in weights]
        self._parameters = np.concatenate([each.ravel() for each in weights])
        self._momenta = np.concatenate([each.ravel() for each in momenta])

    def train_epoch(
        self, images: NativeImages, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
        numbers = epoch_order(len(images), seed, epoch)[:most]
        started = time.perf_counter()
        shown, order = self._show(images, numbers, seed, epoch)
        loss, correct = self._library.train_epoch(
            shown.pixels,
            shown.labels,
            order,
            self._hyperparameters,
            self._parameters,
            self._momenta,
            learning_rate,
            dropout_keys(seed, epoch),
            self._threads,
        )
        return Score(loss / len(order), correct / len(order)), time.perf_counter() - started

    def _show(
        self, images: NativeImages, numbers: np.ndarray, seed: int, epoch: int
    ) -> tuple[NativeImages, np.ndarray]:
        """Return the epoch's images, augmented, and their order."""
        order, how = images.chosen[numbers], self._hyperparameters.augmentation
        if how == "none":
            return images, order
        pixels = augment(images.pixels, images.chosen, numbers, how, seed, epoch)
        as_copied = np.arange(len(order), dtype=np.int32)
        return NativeImages(pixels, images.labels[order], as_copied), as_copied

    def evaluate(self, images: NativeImages) -> Score:
        loss, correct = self._library.evaluate(
            images.pixels,
            images.labels,
            images.chosen,
            self._hyperparameters,
            self._parameters,
            self._threads,
        )
        return Score(loss / len(images), correct / len(images))

    def weights(self) -> Arrays:
        return self._split(self._parameters)

    def momenta(self) -> Arrays:
        return self._split(self._momenta)

    def _split(self, parameters: np.ndarray) -> Arrays:
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])[:-1]
        parts = np.split(parameters, ends)
        return [part.reshape(shape).copy() for part, shape in zip(parts, self._shapes, strict=True)]
