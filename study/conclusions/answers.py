"""Answer the exercises on images and on the saved model in words; sweeps: see `sweep_answer`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from study.conclusions.chosen_model import ChosenModel
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.records import collapse_at
from study.wording import count, listing, percent, taken_for


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise: a sentence that stands alone, its evidence and its limits."""

    headline: str
    details: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """Return its first sentence."""
        return f"{self.headline.partition('. ')[0].removesuffix('.')}."


def answer_images(drawn: bool, images: ImageFacts = FASHION_IMAGES) -> Answer:
    """Answer the exercise that draws the first nine images."""
    if not drawn:
        return Answer("The images were not drawn in this run.")
    what = " of clothing" if images == FASHION_IMAGES else ""
    return Answer(
        f"{'Grey' if images.channels == 1 else 'Colour'} pictures{what}, {images.height} by {images.width} "
        f"pixels, of {images.classes} classes; drawn with OpenCV."
    )


def answer_model(chosen: ChosenModel | None) -> Answer:
    """Say whether the saved model guesses, whether it is the same when loaded, and how it classifies."""
    if chosen is None:
        return Answer("No model was saved in this run.")
    loaded = (
        "Saved and loaded again, the model gives the same outputs on every test image."
        if chosen.files_agree
        else "Not the same model: loaded again, its outputs differ from those before saving, and its test "
        f"accuracy is {percent(chosen.reloaded_test_accuracy)} instead of {percent(chosen.test_accuracy)}."
    )
    classes = chosen.images.classes
    guesses = (
        f"The model does little more than guess: {percent(chosen.test_accuracy)} of the test images are "
        f"right where guessing one of {classes} classes gives {percent(1 / classes)}. "
        if chosen.test_accuracy <= collapse_at(classes)
        else ""
    )
    return Answer(f"{guesses}{loaded} {_classified(chosen)}", (*_confused(chosen), *_calibrated(chosen)))


def describe_failed(failed: Mapping[str, int]) -> tuple[str, ...]:
    """Say how many trials failed, and of which settings; nothing if none did."""
    where = [f"{number} with {name}" for name, number in failed.items() if number]
    if not where:
        return ()
    total = sum(failed.values())
    verb = "is" if total == 1 else "are"
    return (f"{count(total, 'trial')} failed and {verb} left out: {listing(where)}.",)


def _classified(chosen: ChosenModel) -> str:
    image = chosen.new_image
    found = chosen.images.class_names.index(image.predicted_class)
    is_right = image.predicted_class == image.true_class
    return (
        f"Test image {image.test_index} is classified as {image.predicted_class} [{found}] with "
        f"{chosen.new_probabilities[found]:.1%}, which is "
        f"{'right' if is_right else f'wrong: it is {image.true_class}'}."
    )


def _calibrated(chosen: ChosenModel) -> tuple[str, ...]:
    found = chosen.calibration
    if found is None:
        return ()
    return (
        f"The model is {'overconfident' if found.temperature > 1 else 'not sure enough'}: its stated "
        f"probabilities are off by {100 * found.error_before:.1f} points on average. Here, as by study "
        f"predict, they are softened (temperature {found.temperature:.2f}), which leaves "
        f"{100 * found.error_after:.1f}.",
    )


def _confused(chosen: ChosenModel) -> tuple[str, ...]:
    """Name the commonest mistake, if there is one."""
    counts, names = np.array(chosen.confusion), chosen.images.class_names
    of_class = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    true, predicted = np.unravel_index(int(counts.argmax()), counts.shape)
    if counts[true, predicted] == 0:
        return ()
    words = taken_for(names[true], names[predicted], counts[true, predicted], of_class[true])
    return (f"Its commonest mistake is {words}.",)
