"""The model that the optimum exercise chose, the checks of it, and its calibration."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field

from study.fact import Fact
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.spec import Setting

BINS = 15
"""Bins of confidence of the calibration error: the number that Guo et al. 2017 use."""

_SMALLEST = 1e-12
"""A float32 softmax means nothing below it; it keeps logarithms finite."""

Probabilities = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]


class Calibration(Fact):
    """A temperature, the images it was fitted on, and its effect on the calibration error (fraction).

    `fitted_on` is in words; where the errors could only be read on the same images, it was fitted on one half
    and read on the other, both ways.
    """

    temperature: float = Field(gt=0, lt=1000, allow_inf_nan=False)
    fitted_on: str
    images: int
    error_before: float
    error_after: float


def soften(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Return probabilities (n, classes) at a temperature: proportional to their 1/temperature-th power.

    This equals dividing the logits by it (Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern
    Neural Networks"); the likeliest class does not change.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """Fit the temperature, from 0.05 to 20, at which the labels (n,) are likeliest; 1 changes nothing."""
    from scipy.optimize import minimize_scalar  # late: a model is calibrated once a run

    def loss(log_temperature: float) -> float:
        softened = soften(probabilities, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(softened[np.arange(len(labels)), labels], _SMALLEST)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Return the expected calibration error, a fraction: the distance of accuracy from confidence, in bins.

    Mean over equally wide bins of |accuracy - mean confidence|, weighted by the images in each (Guo et al.
    2017, equation 3). Confidence is the highest probability of an image.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(float(right[places == each].mean()) - float(confidence[places == each].mean()))
        * float((places == each).mean())
        for each in range(BINS)
        if (places == each).any()
    ]
    return float(sum(gaps))


def calibrate_crosswise(probabilities: Probabilities, labels: Labels) -> tuple[float, float, float]:
    """Return the temperature of all images, and the calibration error before and after, cross-fitted.

    It needs no other images: each half, images in turn, is softened by the other half's temperature, so that
    no image judges its own fit.
    """
    softened = np.empty(probabilities.shape, np.float64)
    halves: Sequence[slice] = (slice(0, None, 2), slice(1, None, 2))
    for fitted, read in (halves, halves[::-1]):
        temperature = fit_temperature(probabilities[fitted], labels[fitted])
        softened[read] = soften(probabilities[read], temperature)
    before, after = calibration_error(probabilities, labels), calibration_error(softened, labels)
    return fit_temperature(probabilities, labels), before, after


MAX_EXAMPLES = 6
"""The most images of a confused pair that are kept: the number that fits in a row on a phone."""


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
    examples: tuple[int, ...] = Field(max_length=MAX_EXAMPLES)


class SavedFile(Fact):
    """One export, loaded again in its own process and compared with the trained model on all test images.

    It is fed raw pixels, and those of the first 1,000 images scaled, too. `largest_difference` is that of any
    probability; `same_classes` counts the test images that both give the same class, however fed.
    """

    name: str
    format: str
    size_bytes: int
    largest_difference: float
    same_classes: int
    images: int

    @property
    def agrees(self) -> bool:
        """Say whether it is the same model: within `AGREES_WITHIN`, and every class the same."""
        return self.largest_difference <= AGREES_WITHIN and self.same_classes == self.images


class Confidence(Fact):
    """The number of test images with a softened confidence of at least `least`, and of right ones of both."""

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
    """The temperature for softening its probabilities; the saved files are not softened."""
    saved: tuple[SavedFile, ...]
    confidence: tuple[Confidence, ...] = ()
    images: ImageFacts = Field(FASHION_IMAGES, exclude_if=lambda images: images == FASHION_IMAGES)
    """Shape and classes of the images it takes."""
    fingerprint: str = ""
    """Hash of all that decides these facts and the saved files."""

    @property
    def new_probabilities(self) -> tuple[float, ...]:
        """Return the new image's probabilities, softened as by `study predict` if calibrated."""
        stated = self.new_image.probabilities
        if self.calibration is None:
            return stated
        return tuple(soften(np.array([stated]), self.calibration.temperature)[0].tolist())
