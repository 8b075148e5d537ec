"""The dataset's reference, its loading and its stratified split."""

import pickle
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from storage.dataset_files import DatasetArrays, ExpectedDataset, read_cache, read_idx_folder
from study.errors import InputError
from tasks.data.dataset import Dataset, load_dataset, scale_pixels, split_held_out
from tasks.data.sources import Source
from tests.storage.test_dataset_files import ARRAYS, EXPECTED, write_idx_folder


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Load a small dataset of 40 training and 20 test images from a folder."""
    return load_dataset(write_idx_folder(tmp_path / "idx", ARRAYS), tmp_path / "cache", EXPECTED)


def test_real_dataset_is_the_published_one_with_the_same_fingerprint_for_ever() -> None:
    fashion_mnist = load_dataset()
    assert fashion_mnist.train()[1][:5].tolist() == [9, 0, 0, 3, 0]
    assert fashion_mnist.test()[1][:5].tolist() == [9, 2, 1, 1, 6]
    assert fashion_mnist.fingerprint == "9763195e516171b39d372c97330c838edca94113af7ffa1c703a3fb9fd03424b"


def test_arrays_are_memory_mapped_bytes(dataset: Dataset) -> None:
    arrays = (*dataset.train(), *dataset.test())
    assert all(isinstance(array, np.memmap) and array.dtype == np.uint8 for array in arrays)
    assert all(np.array_equal(*pair) for pair in zip(arrays, ARRAYS, strict=True))


def test_reference_travels_small(dataset: Dataset) -> None:
    sent = pickle.dumps(dataset)
    assert len(sent) < 2000
    assert pickle.loads(sent) == dataset


def test_given_folder_is_the_source_though_the_cache_is_sound(dataset: Dataset, tmp_path: Path) -> None:
    assert dataset.source == f"folder {tmp_path / 'idx'}"
    (tmp_path / "idx" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"found no train-labels-idx1-ubyte"):
        load_dataset(tmp_path / "idx", dataset.folder, EXPECTED)


def test_second_load_reads_the_cache(dataset: Dataset) -> None:
    again = load_dataset(cache=dataset.folder, expected=EXPECTED)
    assert again.source == "cache"
    assert again.fingerprint == dataset.fingerprint


def test_damaged_cache_is_told_and_rebuilt_from_the_next_source(
    dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = dataset.folder / "t10k-labels.npy"
    path.write_bytes(path.read_bytes()[:-2])
    sources = (
        Source("cache", partial(read_cache, dataset.folder)),
        Source("folder", partial(read_idx_folder, tmp_path / "idx")),
    )
    assert load_dataset(None, dataset.folder, EXPECTED, sources).source == "folder"
    assert "WARNING  tasks.data.sources:sources.py" in caplog.text
    assert "no dataset from cache: " in caplog.text
    assert dataset.test()[1].tolist() == ARRAYS.test_labels.tolist()


def test_cache_lost_after_loading_says_what_to_do(dataset: Dataset) -> None:
    (dataset.folder / "train-labels.npy").unlink()
    message = r"train-labels.npy: no such file; run `study data` to rebuild the cache$"
    with pytest.raises(InputError, match=message):
        dataset.train()


def test_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = (
        r"^cannot write the cache: .*/file/cache: Not a directory;"
        r" free space there, or set XDG_CACHE_HOME to another folder$"
    )
    with pytest.raises(InputError, match=message):
        load_dataset(write_idx_folder(tmp_path / "idx", ARRAYS), tmp_path / "file" / "cache", EXPECTED)


def test_scaling_divides_by_255_in_single_precision_and_keeps_the_shape() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    scaled = scale_pixels(levels)
    assert scaled.dtype == np.float32
    assert scaled.shape == levels.shape
    assert np.array_equal(scaled, levels / np.float32(255))
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_first_images_are_those_of_the_file(dataset: Dataset) -> None:
    small = dataset.first(7, 3)
    assert np.array_equal(small.train()[0], ARRAYS.train_images[:7])
    assert small.test()[1].tolist() == [0, 1, 2]


def test_subset_has_another_fingerprint_than_the_whole(dataset: Dataset) -> None:
    subsets = [dataset, dataset.first(39, 20), dataset.first(40, 19), dataset.first(4, 20)]
    assert len({subset.fingerprint for subset in subsets}) == len(subsets)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((0, 1), "got 0 training images, allowed are 1 to 40"),
        ((41, 1), "got 41 training images, allowed are 1 to 40"),
        ((1, -1), "got -1 test images, allowed are 1 to 20"),
        ((1, 21), "got 21 test images, allowed are 1 to 20"),
    ],
)
def test_counts_out_of_range_are_refused(dataset: Dataset, counts: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        dataset.first(*counts)


def test_split_uses_every_image_once_in_sorted_order() -> None:
    training, validation = split_held_out(ARRAYS.train_labels, 13)
    assert sorted([*training, *validation]) == list(range(40))
    assert (np.diff(training) > 0).all()
    assert (np.diff(validation) > 0).all()


def test_split_of_unequal_classes_rounds_to_the_exact_sum() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 7]).astype(np.uint8)
    _, validation = split_held_out(labels, 20)
    assert np.bincount(labels[validation]).tolist() == [11, 7, 2]  # 11.49, 6.90 and 1.61 to be exact


def test_split_of_seed_0_stays_as_it_was_published_and_another_seed_has_another() -> None:
    published = [0, 4, 6, 21, 22, 25, 27, 33, 38, 39]
    assert split_held_out(ARRAYS.train_labels, 10)[1].tolist() == published
    assert split_held_out(ARRAYS.train_labels, 10, seed=3)[1].tolist() != published


@pytest.mark.parametrize("held_out", [0, 40])
def test_split_that_leaves_one_side_empty_is_refused(held_out: int) -> None:
    with pytest.raises(InputError, match=f"^got {held_out} held-out images, allowed are 1 to 39$"):
        split_held_out(ARRAYS.train_labels, held_out)


def test_failing_chain_leaves_no_cache_behind(tmp_path: Path) -> None:
    def fail(expected: ExpectedDataset) -> DatasetArrays:
        raise InputError("no answer")

    with pytest.raises(InputError, match=r"^no source has the dataset:\n  network: no answer\n"):
        load_dataset(None, tmp_path / "cache", EXPECTED, [Source("network", fail)])
    assert not (tmp_path / "cache").exists()


def test_loading_keeps_tensorflow_out_of_the_process() -> None:
    code = "import sys, tasks.data as d; d.load_dataset(); sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)
