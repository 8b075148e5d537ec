"""Define where a study's images come from, how many it uses, and what was found there."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from study.fact import Fact
from study.fashion_mnist import FASHION_IMAGES, TEST_COUNT, TRAIN_COUNT
from study.image_facts import ImageFacts

DEFAULT_SOURCE = "fashion-mnist"

NAMED_SOURCES = ("mnist", "cifar10", "cifar100")
"""Datasets that Keras downloads, by their names there."""

_COUNTS = {
    "train_images": (100, TRAIN_COUNT),
    "test_images": (100, TEST_COUNT),
    "held_out_images": (10, TRAIN_COUNT - 1),
}
"""Least and most of each count for Fashion-MNIST."""

_MOST_OWN = 2**31 - 1

Side = Annotated[int, Field(ge=2, le=512)]


class ArrayNames(Fact):
    """The names of an `.npz` file's arrays; without those of a test part a part is split off."""

    images: str
    labels: str
    test_images: str = ""
    test_labels: str = ""

    @model_validator(mode="after")
    def _check_test(self) -> Self:
        if bool(self.test_images) != bool(self.test_labels):
            raise ValueError("arrays: test_images and test_labels belong together; give both or neither")
        return self


class DataFound(Fact):
    """What a source of images holds: the arrays in the cache, and all that depends on them."""

    images: ImageFacts
    train_count: int = Field(ge=1)
    test_count: int = Field(ge=1)
    sha256: tuple[str, str, str, str]
    """Checksums of the training images, their labels, the test images and theirs."""
    notes: tuple[str, ...] = ()
    """What was decided in reading them, in words."""


def _added(default: Any, **limits: Any) -> Any:
    """Declare a field that definitions of studies have only where it is given: earlier ones lack it."""
    return Field(default, exclude_if=lambda value: value == default, **limits)


class DataSlice(Fact):
    """A study's images: their source, and how many of its first ones, in its order, the study uses.

    In a study file it may be the source alone. Counts that are not given are Fashion-MNIST's, or all that
    another source has, and for validation a sixth of its training images, at most 10,000.
    """

    source: str = _added(DEFAULT_SOURCE, min_length=1)
    train_images: int = TRAIN_COUNT
    test_images: int = TEST_COUNT
    held_out_images: int = Field(10_000, description="validation, held-out protocol")
    test: str = _added("")
    """Path of the test part, if it lies elsewhere."""
    test_share: float = _added(0.2, gt=0, lt=1)
    """The part of the images that is split off where the source has no test part, of each class alike."""
    classes: tuple[str, ...] = _added(())
    """Names of the classes, in the order of the labels."""
    size: tuple[Side, Side] | None = _added(None)
    """Height and width that pictures are stretched to; in a study file one number means both."""
    channels: Literal[1, 3, None] = _added(None)
    """1 makes pictures grey, 3 colour; None leaves them as they are."""
    arrays: ArrayNames | None = _added(None)
    label: str = _added("label", min_length=1)
    """The column of a CSV file that holds the labels."""
    found: DataFound | None = _added(None)
    """What was found at the source; None before it was read, and for Fashion-MNIST."""

    @model_validator(mode="before")
    @classmethod
    def _take_source(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("size"), int):
            return {**given, "size": (given["size"], given["size"])}
        return {"source": given} if isinstance(given, str) else given

    @field_validator(*_COUNTS)
    @classmethod
    def _check_count(cls, count: int, info: ValidationInfo) -> int:
        is_own = info.data.get("source") != DEFAULT_SOURCE
        least, most = (1, _MOST_OWN) if is_own else _COUNTS[str(info.field_name)]
        if not least <= count <= most:
            raise ValueError(f"{count} is not allowed: Input should be from {least:,} to {most:,}")
        return count

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.source == DEFAULT_SOURCE and (given := self.model_fields_set & _OF_OTHERS):
            name = min(given)
            raise ValueError(f"{name}: only for other images than Fashion-MNIST; give their source, too")
        return self

    @property
    def is_own(self) -> bool:
        """Say whether it is another source than Fashion-MNIST, whose facts are known before it is read."""
        return self.source != DEFAULT_SOURCE

    @property
    def is_path(self) -> bool:
        """Say whether the source is a path."""
        return self.is_own and self.source not in NAMED_SOURCES

    @property
    def name(self) -> str:
        """Return the name of the images, for titles."""
        known = {DEFAULT_SOURCE: "Fashion-MNIST", "mnist": "MNIST", "cifar10": "CIFAR-10"}
        return known.get(self.source) or ("CIFAR-100" if not self.is_path else Path(self.source).name)

    @property
    def images(self) -> ImageFacts:
        """Return the facts of the images.

        Raises:
            ValueError: the source has not been read.
        """
        if not self.is_own:
            return FASHION_IMAGES
        if self.found is None:
            raise ValueError(f"{self.source} has not been read")
        return self.found.images

    def located(self, study_file: Path) -> "DataSlice":
        """Return the same with absolute paths; relative ones begin at the study's file."""
        folder = study_file.resolve().parent
        changes = {
            name: str(folder / Path(path).expanduser())
            for name, path in (("source", self.source if self.is_path else ""), ("test", self.test))
            if path
        }
        return self.model_copy(update=changes) if changes else self

    def filled(self, found: DataFound) -> "DataSlice":
        """Return the same with what was found, and every count.

        Raises:
            ValueError: it asks for more images than there are.
        """
        given, there = self.model_fields_set, (found.train_count, found.test_count)
        for name, most in zip(("train_images", "test_images"), there, strict=True):
            if name in given and getattr(self, name) > most:
                raise ValueError(f"data.{name}: {getattr(self, name)} is not allowed: there are {most:,}")
        train = self.train_images if "train_images" in given else found.train_count
        test = self.test_images if "test_images" in given else found.test_count
        held_out = self.held_out_images if "held_out_images" in given else max(1, min(10_000, train // 6))
        counts = {"train_images": train, "test_images": test, "held_out_images": held_out}
        return DataSlice.model_validate({**dict(self), **counts, "found": found})


_OF_OTHERS = DataSlice.model_fields.keys() - {"source", *_COUNTS}
