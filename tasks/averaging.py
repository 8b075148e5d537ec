"""A moving average of the weights after each epoch: evaluated and kept, while training goes on without it."""

from typing import Any

from storage.trainings import Arrays
from tasks.engine import Score, Trainer


class AveragingTrainer:
    """Trains another trainer, of any engine, and shows the average of its weights in their place.

    After the first epoch the average is the weights, after each later one `decay * average + (1 - decay) *
    weights`, in float32. It begins with weights, not with zeros, so that there is no bias to correct; the
    first epoch's stay in it with a share of `decay ** (epochs - 1)`.

    Averages of SGD's iterates: Polyak and Juditsky 1992; of a network's weights once an epoch: Izmailov et
    al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization" (SWA), who weigh all alike.
    Keras's `use_ema` decays as here, but with every step, where its 0.99 forgets within a tenth of an epoch.
    """

    def __init__(self, trainer: Trainer, decay: float) -> None:
        self._trainer, self._decay = trainer, decay
        self._weights: Arrays = []
        self._momenta: Arrays = []
        self._average: Arrays | None = None

    def warm_up(self, images: Any) -> float:
        """Make the other trainer ready."""
        return self._trainer.warm_up(images)

    def start(self, seed: int) -> None:
        """Begin a training, of which there is no average yet."""
        self._trainer.start(seed)
        self._weights, self._momenta, self._average = self._trainer.weights(), self._trainer.momenta(), None

    def resume(self, weights: Arrays, momenta: Arrays) -> None:
        """Go on with a training from its average, and its momenta followed by its weights."""
        self._average, count = weights, len(weights)
        self._momenta, self._weights = momenta[:count], momenta[count:]
        self._trainer.resume(self._average, self._momenta)

    def train_epoch(
        self, images: Any, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
        """Train one epoch from the weights, not from their average, and take what they are now into it."""
        self._trainer.resume(self._weights, self._momenta)
        score, seconds = self._trainer.train_epoch(images, seed, epoch, learning_rate, most)
        self._weights, self._momenta = self._trainer.weights(), self._trainer.momenta()
        self._average = mix(self._average, self._weights, self._decay)
        self._trainer.resume(self._average, self._momenta)
        return score, seconds

    def evaluate(self, images: Any) -> Score:
        """Score the average on all images."""
        return self._trainer.evaluate(images)

    def weights(self) -> Arrays:
        """The average; before the first epoch the weights."""
        return self._weights if self._average is None else self._average

    def momenta(self) -> Arrays:
        """What going on needs: the momentum of each weight, then the weights themselves."""
        return [*self._momenta, *self._weights]


def mix(average: Arrays | None, weights: Arrays, decay: float) -> Arrays:
    """The next average: the weights where there is none yet."""
    if average is None:
        return weights
    return [decay * old + (1 - decay) * new for old, new in zip(average, weights, strict=True)]
