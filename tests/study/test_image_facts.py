import pytest
from pydantic import ValidationError

from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.plan import multiply_adds, parameter_count, pooled_units
from study.spec import Hyperparameters

COLOUR = ImageFacts(height=32, width=24, channels=3, class_names=("cat", "dog"))


def test_facts_say_shapes_and_words():
    assert (COLOUR.shape, COLOUR.array_shape, COLOUR.classes) == ((32, 24, 3), (32, 24, 3), 2)
    assert (FASHION_IMAGES.shape, FASHION_IMAGES.array_shape) == ((28, 28, 1), (28, 28))
    assert COLOUR.describe() == "colour, 32 x 24 pixels, 2 classes"
    assert FASHION_IMAGES.describe() == "grey, 28 x 28 pixels, 10 classes"


def test_each_class_has_a_name_of_its_own():
    with pytest.raises(ValidationError, match="class_names: 'cat' is used twice; each class has its own"):
        ImageFacts(height=8, width=8, class_names=("cat", "dog", "cat"))


def test_the_cost_of_the_network_follows_the_images():
    network = Hyperparameters(filters=8, kernel_size=3, dense_units=16)
    assert pooled_units(network, COLOUR) == 15 * 11 * 8
    assert parameter_count(network, COLOUR) == (27 + 1) * 8 + (1320 + 1) * 16 + 17 * 2
    assert multiply_adds(network, COLOUR) == 30 * 22 * 27 * 8 + (1320 + 2) * 16
