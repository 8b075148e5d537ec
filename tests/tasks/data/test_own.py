"""A source of one's own: found, read once, kept in the cache, and refused if it is not what a study says."""

import os
import shutil

import numpy as np
import pytest

from study.errors import InputError
from study.image_facts import ImageFacts
from study.spec import DataSlice
from tasks.data.dataset import Dataset
from tasks.data.own import find_images, load_images, refer_to_images, refuse_folder
from tests.labelled_images import COLOUR, GREY, LABELS, SQUARE, read, refusal, write_csv


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a set of images, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.savez(tmp_path / "set.npz", x_train=COLOUR, y_train=LABELS, x_test=COLOUR[:20], y_test=LABELS[:20])
    return tmp_path


def ask(place, **given) -> DataSlice:
    return DataSlice.model_validate({"source": "set.npz", **given}).located(place / "study.yaml")


def test_a_source_is_found_cached_and_opened_as_it_is(place):
    data = find_images(ask(place))
    assert (data.train_images, data.test_images, data.held_out_images) == (40, 20, 6)
    dataset = load_images(data)
    images, labels = dataset.train()
    assert isinstance(images, np.memmap)
    assert np.array_equal(images, COLOUR)
    assert np.array_equal(labels, LABELS)
    assert (
        dataset.facts == data.images == ImageFacts(height=8, width=10, channels=3, class_names=tuple("0123"))
    )
    assert dataset.name == "set.npz"
    assert dataset.anywhere().is_cached


def test_an_unchanged_source_is_not_read_again_and_a_changed_one_is(place):
    first = find_images(ask(place))
    status = (place / "set.npz").stat()
    damaged = bytes(status.st_size)
    (place / "set.npz").write_bytes(damaged)
    os.utime(place / "set.npz", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert find_images(ask(place)) == first, "known by name, size and time"
    os.utime(place / "set.npz", ns=(0, 0))
    with pytest.raises(InputError, match=r"set.npz: found .*; expected a sound .npz file"):
        find_images(ask(place))


def test_a_cache_that_was_lost_is_filled_again_unless_the_images_have_changed(place):
    data = find_images(ask(place))
    shutil.rmtree(place / "cache")
    assert not refer_to_images(data).is_cached
    with pytest.raises(InputError, match="no such file; run `study data STUDY` to rebuild the cache"):
        refer_to_images(data).train()
    assert load_images(data).is_cached
    shutil.rmtree(place / "cache")
    np.savez(place / "set.npz", x_train=255 - COLOUR, y_train=LABELS)
    with pytest.raises(InputError, match="the images have changed since the run began; start a new run"):
        load_images(data)


def test_counts_take_the_first_images_and_no_more_than_there_are(place):
    data = find_images(ask(place, train_images=12, test_images=5))
    assert len(load_images(data).train()[1]) == 12
    with pytest.raises(InputError, match=r"data\.test_images: 21 is not allowed: there are 20, in .*set.npz"):
        find_images(ask(place, test_images=21))


def test_the_fingerprint_follows_images_and_classes_but_no_names(place):
    def fingerprint(**given) -> str:
        return refer_to_images(find_images(ask(place, **given))).fingerprint

    assert fingerprint() == fingerprint(classes=["a", "b", "c", "d"])
    assert fingerprint() != fingerprint(classes=["a", "b", "c", "d", "e"]), "the network has one output more"
    assert fingerprint() != fingerprint(train_images=30)


def test_fashion_mnists_fingerprint_is_as_it_was():
    assert Dataset(None, "").fingerprint == refer_to_images(DataSlice()).fingerprint


def test_names_are_given_in_the_order_of_the_labels(tmp_path):
    words = np.array(["dog", "ant", "cow", "bee"])[LABELS]
    np.savez(tmp_path / "set.npz", x=GREY, y=words)
    assert read(tmp_path, source="set.npz")[1].class_names == ("ant", "bee", "cow", "dog")
    arrays, images, _ = read(tmp_path, source="set.npz", classes=["dog", "cow", "bee", "ant"])
    assert images.class_names == ("dog", "cow", "bee", "ant")
    found = np.array(images.class_names)[arrays.train_labels]
    assert np.bincount(arrays.train_labels).tolist() == [8] * 4
    assert all(any(np.array_equal(image, each) for each in GREY[words == word])
               for image, word in zip(arrays.train_images, found, strict=True))  # fmt: skip


def test_a_part_is_split_off_of_each_class_alike_and_always_the_same(tmp_path):
    np.savez(tmp_path / "set.npz", x=GREY, y=LABELS)
    once, again = (read(tmp_path, source="set.npz", test_share=0.5)[0] for _ in range(2))
    assert np.bincount(once.test_labels).tolist() == [5] * 4
    assert all(np.array_equal(one, other) for one, other in zip(once, again, strict=True))
    both = np.concatenate([once.train_images, once.test_images])
    assert sorted(map(bytes, both)) == sorted(map(bytes, GREY))


def test_what_a_study_says_wrongly_is_refused_with_the_source(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=SQUARE, y_train=LABELS, x_test=SQUARE, y_test=LABELS + 2)
    np.savez(tmp_path / "one.npz", x=SQUARE, y=LABELS * 0)
    write_csv(tmp_path / "test.csv", SQUARE[:, :6, :6], LABELS)
    (tmp_path / "notes.txt").write_text("hello")
    expected = {
        "digits.npz": "digits.npz: no such file or folder; expected an .npz file",
        "sett.npz": "sett.npz: no such file or folder (did you mean 'set.npz'?); expected",
        "mnits": "mnits: no such file or folder (did you mean 'mnist'?); expected",
        "set.npz": "set.npz: found test images of class 4, 5, expected only classes that training",
        "one.npz": "one.npz: found 1 class, 0; expected 2 to 256",
        "notes.txt": "notes.txt: found a file of unknown kind (.txt); expected an .npz file",
    }
    assert {name: refusal(tmp_path, source=name)[: len(text)] for name, text in expected.items()} == expected
    assert refusal(tmp_path, source="set.npz", test="test.csv") == (
        "test.csv: found test images of 6 x 6, expected 8 x 8 as those of training"
    )
    assert refusal(tmp_path, source="one.npz", classes=["a", "b"]) == "it was read"
    np.savez(tmp_path / "set.npz", x=SQUARE, y=LABELS)
    assert refusal(tmp_path, source="set.npz", classes=["a", "b"]) == (
        "set.npz: found 4 labels, 0, 1, 2, 3, expected 2 as data.classes names"
    )


def test_a_folder_of_fashion_mnist_is_refused_for_other_images(place):
    with pytest.raises(
        InputError, match="--data there: it is for Fashion-MNIST, and this study's images are"
    ):
        refuse_folder(ask(place), place.relative_to(place.parent).parent / "there")
