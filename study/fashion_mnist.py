"""Facts of the Fashion-MNIST dataset (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)."""

from study.image_facts import ImageFacts

IMAGE_SIDE = 28
"""Height and width of an image, in pixels."""

TRAIN_COUNT = 60_000
TEST_COUNT = 10_000

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""Name of each class; the index is the label."""

FASHION_IMAGES = ImageFacts(height=IMAGE_SIDE, width=IMAGE_SIDE, class_names=CLASS_NAMES)
"""The facts of its images: the default of everything that depends on them."""
