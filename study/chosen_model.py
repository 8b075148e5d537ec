"""The model the optimum exercise chose and the model exercise saved, and what was checked of it."""

from pydantic import Field

from study.calibration import Calibration
from study.fact import Fact
from study.setting import Setting

MOST_EXAMPLES = 6
"""How many images of a confused pair are kept at most: as many as fit beside each other on a phone."""


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


class ChosenModel(Fact):
    """The model that was saved.

    `confusion[i][j]` counts test images of class i predicted as class j. `files_agree` says whether every
    saved file, loaded again, gives the same outputs on all test images, bit for bit. `confused` are
    the pairs of classes confused most often, most images first; files written before it was kept lack it.
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
    confused: tuple[ConfusedPair, ...] = ()
    calibration: Calibration | None = None
    """By which its probabilities are to be softened; the saved files themselves are not."""
