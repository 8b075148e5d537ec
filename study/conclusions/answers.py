"""Answer the exercises on images and on the saved model in words; sweeps: see `sweep_answer`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from study.conclusions.chosen_model import ChosenModel
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.records import SettingReadings
from study.wording import count, listing, percent, phrase, taken_for


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise: a sentence that stands alone, its evidence and its limits."""

    headline: str
    details: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


def answer_images(drawn: bool) -> Answer:
    """Answer the exercise that draws the first nine images."""
    if not drawn:
        return Answer("The images were not drawn in this run.")
    return Answer(
        f"Each image is {IMAGE_SIDE} by {IMAGE_SIDE} grey pixels and shows one article of "
        f"{len(CLASS_NAMES)} classes; the first nine training images are drawn here."
    )


def answer_model(chosen: ChosenModel | None) -> Answer:
    """Say whether the saved model, loaded again, is the same model, and how it classifies the new image."""
    if chosen is None:
        return Answer("No model was saved in this run.")
    image = chosen.new_image
    probability = image.probabilities[CLASS_NAMES.index(image.predicted_class)]
    right = image.predicted_class == image.true_class
    classified = (
        f"test image {image.test_index} ({image.true_class}) is classified as {image.predicted_class} with "
        f"probability {probability:.4f}, which is {'right' if right else 'wrong'}"
    )
    if chosen.files_agree:
        headline = (
            f"Yes: loaded again, the model gives the same outputs on every test image, and {classified}."
        )
    else:
        headline = (
            f"Not the same model: loaded again, its outputs differ from those before saving; {classified}."
        )
    return Answer(headline, (_reloaded(chosen), *_confused(chosen.confusion), *_calibrated(chosen)))


def describe_failed(
    parameter: str, readings: Mapping[float, SettingReadings] | Mapping[str, SettingReadings]
) -> tuple[str, ...]:
    """Say how many trials failed, and with which values; nothing if none did."""
    failed = {value: each.failed for value, each in readings.items() if each.failed}
    if not failed:
        return ()
    where = [
        f"{number} with {value if isinstance(value, str) else phrase(parameter, value)}"
        for value, number in failed.items()
    ]
    total = sum(failed.values())
    verb = "is" if total == 1 else "are"
    return (f"{count(total, 'trial')} failed and {verb} left out: {listing(where)}.",)


def _reloaded(chosen: ChosenModel) -> str:
    before, after = percent(chosen.test_accuracy), percent(chosen.reloaded_test_accuracy)
    return f"Test accuracy is {before} before saving and {after} after loading."


def _calibrated(chosen: ChosenModel) -> tuple[str, ...]:
    found = chosen.calibration
    if found is None:
        return ()
    return (
        f"Its probabilities are {'too sure' if found.temperature > 1 else 'not sure enough'}: softened by a "
        f"temperature of {found.temperature:.2f} (fitted on {found.fitted_on}), as study predict does, their "
        f"expected calibration error on the test images is {percent(found.error_after)} instead of "
        f"{percent(found.error_before)}.",
    )


def _confused(confusion: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """Name the commonest mistake, if there is one."""
    counts = np.array(confusion)
    of_class = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    true, predicted = np.unravel_index(int(counts.argmax()), counts.shape)
    if counts[true, predicted] == 0:
        return ()
    words = taken_for(CLASS_NAMES[true], CLASS_NAMES[predicted], counts[true, predicted], of_class[true])
    return (f"Its commonest mistake is {words}.",)
