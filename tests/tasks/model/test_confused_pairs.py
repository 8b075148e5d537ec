"""The classes a model confuses most often, counted from what it says of the test images."""

import numpy as np
import pytest

from tasks.model.export import count_confusion, find_confused_pairs
from tests.rows import make_chosen_model

SHIRT, TOP, COAT, BAG = 6, 0, 4, 8


def _outputs(*said: tuple[int, float]) -> np.ndarray:
    """Probabilities of a class for each image, the rest spread over the others."""
    outputs = np.empty((len(said), 10))
    for row, (predicted, probability) in zip(outputs, said, strict=True):
        row[:] = (1 - probability) / 9
        row[predicted] = probability
    return outputs


def test_pairs_have_a_direction_and_come_by_their_number_of_images():
    labels = np.array([SHIRT, SHIRT, SHIRT, TOP, TOP, COAT, BAG])
    outputs = _outputs(
        (TOP, 0.6), (TOP, 0.9), (SHIRT, 0.8), (SHIRT, 0.7), (TOP, 0.9), (SHIRT, 0.5), (BAG, 0.9)
    )
    pairs = find_confused_pairs(labels, outputs)
    assert [(each.true_class, each.predicted_class, each.images, each.of) for each in pairs] == [
        ("Shirt", "T-shirt/top", 2, 3),
        ("T-shirt/top", "Shirt", 1, 2),
        ("Coat", "Shirt", 1, 1),
    ]
    assert pairs[0].examples == (1, 0)  # the more surely wrong first


def test_at_most_four_pairs_and_six_examples_are_kept():
    labels = np.repeat(np.arange(10), 8)
    outputs = _outputs(*(((label + 1) % 10, 0.9) for label in labels))
    pairs = find_confused_pairs(labels, outputs)
    assert [each.true_class for each in pairs] == ["T-shirt/top", "Trouser", "Pullover", "Dress"]
    assert [each.examples for each in pairs[:2]] == [tuple(range(6)), tuple(range(8, 14))]
    assert all(each.images == 8 for each in pairs)


def test_a_model_without_mistakes_confuses_nothing():
    labels = np.arange(10)
    assert find_confused_pairs(labels, _outputs(*((label, 0.9) for label in labels))) == ()


def test_the_pairs_are_those_of_the_confusion_matrix():
    rng = np.random.default_rng(1)
    labels, outputs = rng.integers(0, 10, 500), rng.dirichlet(np.ones(10), 500)
    counts = np.array(count_confusion(labels, outputs.argmax(axis=1)))
    assert counts.sum() == 500
    np.fill_diagonal(counts, 0)
    assert [each.images for each in find_confused_pairs(labels, outputs)] == sorted(counts.ravel())[:-5:-1]


def test_more_than_six_examples_are_refused():
    pair = make_chosen_model().confused[0]
    with pytest.raises(ValueError, match="at most 6 items"):
        type(pair).model_validate({**pair.model_dump(), "examples": tuple(range(7))})
