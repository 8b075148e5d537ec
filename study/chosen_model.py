"""The model the optimum exercise chose and the model exercise saved, and what was checked of it."""

from study.fact import Fact
from study.spec import Setting


class NewImage(Fact):
    """The classification of one image by the reloaded model; probabilities in the order of the classes."""

    test_index: int
    true_class: str
    predicted_class: str
    probabilities: tuple[float, ...]


class ChosenModel(Fact):
    """The model that was saved.

    `confusion[i][j]` counts test images of class i predicted as class j. `files_agree` says whether every
    saved file, loaded again, gives the same outputs on all test images, bit for bit.
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
