"""The least time that trainings take on some cores by plain products: multiply-adds at the measured peak.

One image forward: the convolution, r² k² f (r = 28 - k + 1 rows, k the kernel's side, f filters), and the
dense layers, p d + 10 d (p = (r/2)² f pooled values, d units). In training, every layer is computed again for
the gradient of its weights, and the dense layers once more for the gradient of their input (the convolution's
input is the image, which needs none). So an epoch of n images with m evaluated afterwards takes

    n (2 r² k² f + 3 (p d + 10 d)) + m (r² k² f + p d + 10 d)

multiply-adds. Behind the max pooling, though, at most one of four places of the convolution has a gradient
that is not zero: who leaves out the zeros computes r² k² f / 4 for the weights' gradient instead of r² k² f.
That is the smaller count. It still has products with what happens to be zero (black pixels, units that ReLU
cut off) and knows no trick such as Winograd's, so it is a bound for plain products only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from study.cost import Shape
from study.setting import Hyperparameters

POOLED = 4
"""Places of the convolution behind one pooled value."""


@dataclass(frozen=True)
class Work:
    """Multiply-adds of some trainings: all, and without those whose product is known to be zero."""

    every: float = 0.0
    nonzero: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        """Both together."""
        return Work(self.every + other.every, self.nonzero + other.nonzero)

    def seconds(self, gflops: float, cores: int) -> tuple[float, float]:
        """Least seconds of both counts at a core's peak (GFLOP/s; a multiply-add is two operations)."""
        rate = gflops * 1e9 * cores / 2
        return self.every / rate, self.nonzero / rate


def count_work(hyperparameters: Hyperparameters, epochs: int, train_images: int, evaluated: int) -> Work:
    """The multiply-adds of one training, with so many images evaluated after each epoch."""
    operations = Shape.of(hyperparameters).operations
    convolution, dense = operations["convolution"], operations["dense"]
    evaluation = evaluated * (convolution + dense)
    return Work(
        epochs * (train_images * (2 * convolution + 3 * dense) + evaluation),
        epochs * (train_images * ((1 + 1 / POOLED) * convolution + 3 * dense) + evaluation),
    )


def add_up(works: Iterable[Work]) -> Work:
    """All of them together."""
    return sum(works, Work())
