"""Find the classes that a model confuses most often, and the images it is most surely wrong about."""

import numpy as np

from study.chosen_model import MOST_EXAMPLES, ConfusedPair
from study.fashion_mnist import CLASS_NAMES

MOST_PAIRS = 4


def count_confusion(labels: np.ndarray, predicted: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Count images of class i predicted as class j, `[i][j]`, from class indices (n,) and (n,)."""
    counts = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)), dtype=int)
    np.add.at(counts, (labels, predicted), 1)
    return tuple(tuple(int(count) for count in row) for row in counts)


def find_confused_pairs(labels: np.ndarray, outputs: np.ndarray) -> tuple[ConfusedPair, ...]:
    """Find the at most four pairs of classes confused most often, most images first.

    A pair has a direction: Shirt taken for Coat is another than Coat taken for Shirt. Of pairs with equally
    many images the one with the lower true class comes first, then the one with the lower predicted class.

    Args:
        labels: True class indices (n,), 0..9.
        outputs: Class probabilities (n, 10).
    """
    wrong = np.array(count_confusion(labels, outputs.argmax(axis=1)))
    np.fill_diagonal(wrong, 0)
    most_first = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [divmod(int(place), len(CLASS_NAMES)) for place in most_first]
    return tuple(_describe(labels, outputs, *pair) for pair in pairs if wrong[pair])


def _describe(labels: np.ndarray, outputs: np.ndarray, true: int, predicted: int) -> ConfusedPair:
    images = np.flatnonzero((labels == true) & (outputs.argmax(axis=1) == predicted))
    surest_first = images[np.argsort(-outputs[images, predicted], kind="stable")]
    return ConfusedPair(
        true_class=CLASS_NAMES[true],
        predicted_class=CLASS_NAMES[predicted],
        images=len(images),
        of=int((labels == true).sum()),
        examples=tuple(int(index) for index in surest_first[:MOST_EXAMPLES]),
    )
