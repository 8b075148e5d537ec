"""Datasets by their names in Keras, which loads them in another process; here a stand-in does."""

import re
from pathlib import Path

import numpy as np
import pytest

from storage.dataset_files import DatasetMissingError
from study.spec import NAMED_SOURCES, DataSlice
from tasks.data.keras_sets import CLASS_NAMES, read_keras_set
from tasks.data.own import read_images

LOAD = """
import numpy
def load_data():
    images = numpy.arange(6 * 64 * 3, dtype="uint16").astype("uint8").reshape(6, 8, 8, 3)
    labels = numpy.array([[0], [9], [2], [3], [4], [5]])
    return (images, labels), (images[1::-1], labels[1::-1])
"""
FAIL = """
def load_data():
    raise Exception("URL fetch failure")
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module `keras.datasets.cifar10` of another process."""
    module = tmp_path / "keras" / "datasets" / "cifar10.py"
    module.parent.mkdir(parents=True)
    for package in module.parents[:2]:
        (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return module


def test_a_set_has_keras_s_arrays_and_the_names_of_all_its_classes(stand_in: Path):
    stand_in.write_text(LOAD)
    arrays, images, notes = read_images(DataSlice(source="cifar10"))
    assert (images.shape, images.class_names, notes) == ((8, 8, 3), CLASS_NAMES["cifar10"], ())
    assert arrays.train_labels.tolist() == [0, 9, 2, 3, 4, 5]
    assert np.array_equal(arrays.test_images, arrays.train_images[1::-1])


def test_a_set_that_keras_cannot_get_is_refused_with_the_reason(stand_in: Path):
    stand_in.write_text(FAIL)
    message = (
        "cifar10: Keras could not get it (Exception: URL fetch failure); connect to the network, or give"
    )
    with pytest.raises(DatasetMissingError, match=re.escape(message)):
        read_keras_set("cifar10")


def test_the_classes_of_cifar_are_complete():
    assert [len(CLASS_NAMES[name]) for name in NAMED_SOURCES if name != "mnist"] == [10, 100]
    assert list(CLASS_NAMES["cifar100"]) == sorted(CLASS_NAMES["cifar100"])
