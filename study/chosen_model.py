"""The model the optimum exercise chose and the model exercise saved, and what was checked of it."""

from pydantic import Field

from study.calibration import Calibration
from study.fact import Fact
from study.setting import Setting

MOST_EXAMPLES = 6
"""How many images of a confused pair are kept at most: as many as fit beside each other on a phone."""


AGREES_WITHIN = 1e-4
"""Largest difference of a probability for which two saved files count as the same model. Formats order their
sums differently: LiteRT's differ by up to 0.00001 on 10,000 images (measured), the others' by nothing."""


class NewImage(Fact):
    """The classification of one image by the reloaded model; probabilities in the order of the classes."""

    test_index: int
    true_class: str
    predicted_class: str
    probabilities: tuple[float, ...]


class ConfusedPair(Fact):
    """One class taken for another: `images` of the `of` test images that are of the true class.

    `examples` are indices of such test images, from 0 in file order, the most surely wrong first.
    """

    true_class: str
    predicted_class: str
    images: int
    of: int
    examples: tuple[int, ...] = Field(max_length=MOST_EXAMPLES)


class SavedFile(Fact):
    """One export, loaded again in a process of its own: compared with the trained model on all test images.

    `largest_difference` is that of any probability, fed raw pixels or scaled ones, whichever differs more;
    `same_classes` counts the test images that both give the same class, however fed.
    """

    name: str
    format: str
    size_bytes: int
    largest_difference: float
    same_classes: int
    images: int

    @property
    def agrees(self) -> bool:
        """Whether it is the same model: `AGREES_WITHIN`, and every class the same."""
        return self.largest_difference <= AGREES_WITHIN and self.same_classes == self.images


class Confidence(Fact):
    """How many test images have a softened confidence of at least `least`, and how many of both are right."""

    least: float
    sure: int
    sure_right: int
    unsure: int
    unsure_right: int


class ChosenModel(Fact):
    """The model that was saved.

    `confusion[i][j]` counts test images of class i predicted as class j. `files_agree` says whether every
    saved file, loaded again, gives the same outputs on all test images, within `AGREES_WITHIN`; `saved` says
    it file by file. `confused` are the pairs of classes confused most often, most images first.
    """

    candidate: str
    setting: Setting
    seed: int
    key: str
    epochs_run: int
    validation_accuracy: float
    test_accuracy: float
    reloaded_test_accuracy: float
    files: tuple[str, ...]
    files_agree: bool
    confusion: tuple[tuple[int, ...], ...]
    new_image: NewImage
    confused: tuple[ConfusedPair, ...]
    calibration: Calibration | None = None
    """By which its probabilities are to be softened; the saved files themselves are not."""
    saved: tuple[SavedFile, ...]
    confidence: tuple[Confidence, ...] = ()
