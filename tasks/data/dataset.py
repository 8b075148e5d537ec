"""The dataset: load and verify it once, split it, scale its pixels."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.dataset_files import (
    FASHION_MNIST,
    Bytes,
    DatasetFileError,
    ExpectedArray,
    ExpectedDataset,
    default_cache_folder,
    open_cached,
    own_folder,
    write_cache,
)
from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES, TEST_COUNT, TRAIN_COUNT
from study.image_facts import ImageFacts
from tasks.data.sources import CACHE, Source, default_sources, read_first, read_given_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """A small reference to the dataset: it travels to worker processes, which open the arrays.

    Args:
        folder: Cache folder with the four `.npy` files; None: the default of the machine that opens it.
        source: Where the dataset came from, in words.
        train_count: Number of training images in use: the first ones in file order.
        test_count: Number of test images in use: the first ones in file order.
        expected: Shapes and checksums of the whole arrays.
        facts: Height, width, channels and class names of the images.
        name: Name of the images, for titles.

    Raises:
        InputError: A count is out of range.
    """

    folder: Path | None
    source: str
    train_count: int = TRAIN_COUNT
    test_count: int = TEST_COUNT
    expected: ExpectedDataset = FASHION_MNIST
    facts: ImageFacts = FASHION_IMAGES
    name: str = "Fashion-MNIST"

    def __post_init__(self) -> None:
        """Check the counts."""
        _check_count("training", self.train_count, self.expected.train_images.shape[0])
        _check_count("test", self.test_count, self.expected.test_images.shape[0])

    @property
    def fingerprint(self) -> str:
        """Return the hex SHA-256 of the whole arrays' checksums and the counts: subsets differ.

        Shape and number of classes enter where they are not Fashion-MNIST's; the classes' names never do.
        """
        facts = [*(array.sha256 for array in self.expected), str(self.train_count), str(self.test_count)]
        if self.facts.sizes != FASHION_IMAGES.sizes:
            facts += map(str, self.facts.sizes)
        return hashlib.sha256(" ".join(facts).encode()).hexdigest()

    @property
    def is_cached(self) -> bool:
        """Say whether this machine has the training images in its cache."""
        try:
            return len(self.train()[0]) > 0
        except InputError:
            return False

    def train(self) -> tuple[Bytes, Bytes]:
        """Open the training images (n, 28, 28) and labels (n,): uint8, memory-mapped, read-only.

        Raises:
            InputError: The cache was removed or damaged since the dataset was loaded.
        """
        images, labels = self.expected.train_images, self.expected.train_labels
        return self._open(images)[: self.train_count], self._open(labels)[: self.train_count]

    def test(self) -> tuple[Bytes, Bytes]:
        """Open the test images (n, 28, 28) and labels (n,): uint8, memory-mapped, read-only.

        Raises:
            InputError: The cache was removed or damaged since the dataset was loaded.
        """
        images, labels = self.expected.test_images, self.expected.test_labels
        return self._open(images)[: self.test_count], self._open(labels)[: self.test_count]

    def first(self, train_count: int, test_count: int) -> "Dataset":
        """Return a reference to the first training and test images, in file order.

        Raises:
            InputError: A count is below 1 or above the dataset's.
        """
        return replace(self, train_count=train_count, test_count=test_count)

    def anywhere(self) -> "Dataset":
        """Return a reference for other machines, which have their own caches."""
        return replace(self, folder=None)

    def _open(self, array: ExpectedArray) -> Bytes:
        try:
            return open_cached(self.folder or self._find_folder(), array)
        except DatasetFileError as error:
            command = "study data" if self.facts == FASHION_IMAGES else "study data STUDY"
            raise InputError(f"{error}; run `{command}` to rebuild the cache") from error

    def _find_folder(self) -> Path:
        """Return the folder of the arrays in this machine's cache."""
        cache = default_cache_folder()
        return cache if self.expected == FASHION_MNIST else own_folder(cache, self.expected, self.facts)


def refer_to_dataset() -> Dataset:
    """Return a reference to the whole dataset, without opening it: for its fingerprint."""
    return Dataset(None, "not loaded")


def load_dataset(
    folder: Path | None = None,
    cache: Path | None = None,
    expected: ExpectedDataset = FASHION_MNIST,
    sources: Sequence[Source] | None = None,
) -> Dataset:
    """Find the dataset, verify it fully, convert it to the cache, and return a reference to it.

    A given folder, with the four IDX files, is the only source.

    Raises:
        InputError: The given folder, or every source, lacks the dataset; or the cache cannot be written.
    """
    cache = (cache or default_cache_folder()).absolute()
    if folder is not None:
        arrays, name = read_given_folder(folder, expected), f"folder {folder}"
    else:
        arrays, name = read_first(default_sources(cache) if sources is None else sources, expected)
    if name != CACHE:
        try:
            write_cache(cache, arrays, expected)
        except DatasetFileError as error:
            raise InputError(
                f"cannot write the cache: {error}; free space there, or set XDG_CACHE_HOME to another folder"
            ) from error
    logger.info("dataset from %s, in %s", name, cache)
    counts = (expected.train_images.shape[0], expected.test_images.shape[0])
    return Dataset(cache, name, *counts, expected)


def split_held_out(
    labels: npt.NDArray[np.integer], held_out: int, seed: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split training images, keeping the proportions of the classes up to rounding.

    Each class gives its share of `held_out`, rounded down; the missing images come one each from the classes
    with the largest remainders (the lower label first), so that the sum is `held_out` exactly.

    Returns:
        Sorted indices for training (n - held_out,) and for validation (held_out,).

    Raises:
        InputError: `held_out` leaves the training or the validation set empty.
    """
    if not 1 <= held_out < len(labels):
        raise InputError(f"got {held_out} held-out images, allowed are 1 to {len(labels) - 1}")
    generator = np.random.Generator(np.random.Philox(seed))
    classes, counts = np.unique(labels, return_counts=True)
    # Whole numbers only: floating-point remainders could break ties differently on another machine.
    shares, remainders = np.divmod(counts * held_out, len(labels))
    shares[np.argsort(-remainders, kind="stable")[: held_out - shares.sum()]] += 1
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in zip(classes, shares, strict=True)
    ]
    validation = np.sort(np.concatenate(chosen)).astype(np.int64)
    return np.setdiff1d(np.arange(len(labels)), validation), validation


def _check_count(name: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise InputError(f"got {count} {name} images, allowed are 1 to {most}")


PIXEL_MAXIMUM = 255.0
"""The divisor of pixels, as in the lab."""


def scale_pixels(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Scale 8-bit pixels, of any shape, to 0..1, float32.

    Returns:
        The same shape, float32: each pixel divided by PIXEL_MAXIMUM.
    """
    return images.astype(np.float32) / np.float32(PIXEL_MAXIMUM)


def with_channels(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return images (n, height, width) or (n, height, width, 3) as (n, height, width, channels)."""
    return images[..., np.newaxis] if images.ndim == 3 else images
