"""The facts of a dataset's images that networks, costs and reports depend on."""

from typing import Self

from pydantic import Field, model_validator

from study.fact import Fact


class ImageFacts(Fact):
    """Height, width and channels of every image of a dataset, and the name of each class by its label.

    Arrays of grey images are (n, height, width), those of colour images (n, height, width, channels), RGB.
    """

    height: int = Field(ge=1, le=512, description="pixels")
    width: int = Field(ge=1, le=512, description="pixels")
    channels: int = Field(1, ge=1, le=4, description="1: grey, 3: red, green and blue")
    class_names: tuple[str, ...] = Field(min_length=2, max_length=1000)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if len(set(self.class_names)) < len(self.class_names):
            twice = next(name for name in self.class_names if self.class_names.count(name) > 1)
            raise ValueError(f"class_names: {twice!r} is used twice; each class has its own")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return height, width and channels: the shape of one image as a network takes it."""
        return self.height, self.width, self.channels

    @property
    def array_shape(self) -> tuple[int, ...]:
        """Return the shape of one image as it is kept: without a channel if it is grey."""
        return self.shape if self.channels > 1 else self.shape[:2]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Return height, width, channels and classes: what decides the cost of a network."""
        return *self.shape, self.classes

    @property
    def classes(self) -> int:
        """Count the classes."""
        return len(self.class_names)

    def describe(self) -> str:
        """Return "grey, 28 x 28 pixels, 10 classes"."""
        colour = {1: "grey", 3: "colour"}.get(self.channels, f"{self.channels} channels")
        return f"{colour}, {self.height} x {self.width} pixels, {self.classes} classes"
