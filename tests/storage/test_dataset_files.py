"""The dataset's files: real ones, small and made here, sound and damaged in every way we know."""

import gzip
import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from storage.dataset_files import (
    DEBIAN_FOLDER,
    FASHION_MNIST,
    Bytes,
    DatasetArrays,
    DatasetFileError,
    DatasetMissingError,
    ExpectedArray,
    ExpectedDataset,
    default_cache_folder,
    open_cached,
    read_cache,
    read_idx,
    read_idx_folder,
    write_cache,
)
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE, TEST_COUNT, TRAIN_COUNT

NAMES = ("train-images", "train-labels", "t10k-images", "t10k-labels")


def make_arrays(train_count: int = 40, test_count: int = 20) -> DatasetArrays:
    """Make noise images and labels 0..9 in turn."""
    noise = np.random.default_rng(0)

    def images(count: int) -> Bytes:
        return noise.integers(0, 256, (count, 28, 28), np.uint8)

    def labels(count: int) -> Bytes:
        return np.arange(count, dtype=np.uint8) % 10

    return DatasetArrays(images(train_count), labels(train_count), images(test_count), labels(test_count))


def expect(arrays: DatasetArrays) -> ExpectedDataset:
    """State the facts of the arrays."""
    return ExpectedDataset(
        *(
            ExpectedArray(name, array.shape, hashlib.sha256(array.data).hexdigest())
            for name, array in zip(NAMES, arrays, strict=True)
        )
    )


def idx_bytes(array: Bytes) -> bytes:
    """Spell an array as an IDX file."""
    return struct.pack(f">{1 + array.ndim}I", 2048 + array.ndim, *array.shape) + array.tobytes()


def write_idx_folder(folder: Path, arrays: DatasetArrays) -> Path:
    """Write the four gzipped IDX files."""
    folder.mkdir(parents=True, exist_ok=True)
    for expected, array in zip(expect(arrays), arrays, strict=True):
        (folder / f"{expected.idx_name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return folder


ARRAYS = make_arrays()
EXPECTED = expect(ARRAYS)
IMAGES, LABELS = EXPECTED.train_images, EXPECTED.train_labels


def assert_read_fails(path: Path, expected: ExpectedArray, message: str) -> None:
    """Check that reading the file fails with exactly this line after the file's name."""
    with pytest.raises(DatasetFileError, match=f"^{re.escape(f'{path}: {message}')}$"):
        read_idx(path, expected)


def test_published_file_names_are_those_of_fashion_mnist() -> None:
    assert [array.idx_name for array in FASHION_MNIST] == [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]


def test_default_cache_folder_follows_xdg_cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "fashion-mnist-study" / "data"


def test_folder_of_gzipped_files_is_read(tmp_path: Path) -> None:
    found = read_idx_folder(write_idx_folder(tmp_path, ARRAYS), EXPECTED)
    assert all(np.array_equal(*pair) for pair in zip(found, ARRAYS, strict=True))


def test_plain_file_is_read_whatever_its_name_says(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, ARRAYS)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx_bytes(ARRAYS.train_labels))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(ARRAYS.test_labels))
    assert read_idx_folder(tmp_path, EXPECTED).test_labels.tolist() == ARRAYS.test_labels.tolist()


def test_missing_folder_is_named(tmp_path: Path) -> None:
    message = re.escape(f"{tmp_path / 'none'}: no such folder")
    with pytest.raises(DatasetMissingError, match=f"^{message}$"):
        read_idx_folder(tmp_path / "none", EXPECTED)


def test_all_missing_files_are_named_at_once(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, ARRAYS)
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    message = (
        f"{tmp_path}: found no train-images-idx3-ubyte, t10k-labels-idx1-ubyte (with or without .gz),"
        " expected train-images-idx3-ubyte, train-labels-idx1-ubyte,"
        " t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
    )
    with pytest.raises(DatasetMissingError, match=f"^{re.escape(message)}$"):
        read_idx_folder(tmp_path, EXPECTED)


def test_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(ARRAYS.train_images))[:1000])
    assert_read_fails(path, IMAGES, "found a gzip file cut short at 1000 bytes, expected a whole one")


def test_gzip_file_without_its_last_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    packed = gzip.compress(idx_bytes(ARRAYS.train_labels))[:-4]
    path.write_bytes(packed)
    assert_read_fails(
        path, LABELS, f"found a gzip file cut short at {len(packed)} bytes, expected a whole one"
    )


def test_corrupt_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    packed = bytearray(gzip.compress(idx_bytes(ARRAYS.train_images)))
    packed[10] = 0xFF  # the first block's type: 3 is reserved
    path.write_bytes(packed)
    reason = "Error -3 while decompressing data: invalid block type"
    assert_read_fails(path, IMAGES, f"found a corrupt gzip file ({reason}), expected a sound one")


def test_gzip_file_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    packed = bytearray(gzip.compress(idx_bytes(ARRAYS.train_images)))
    packed[-8] ^= 1
    path.write_bytes(packed)
    with pytest.raises(
        DatasetFileError, match=r"found a corrupt gzip file \(CRC check failed .*\), expected a"
    ):
        read_idx(path, IMAGES)


def test_images_where_labels_belong_are_told_by_the_magic_number(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(ARRAYS.train_images))
    assert_read_fails(path, LABELS, "found magic number 2051 (images), expected 2049 (labels)")


def test_labels_where_images_belong_are_told_by_the_magic_number(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(ARRAYS.train_labels))
    assert_read_fails(path, IMAGES, "found magic number 2049 (labels), expected 2051 (images)")


def test_wrong_magic_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(b"\x00\x00\x0d\x01" + idx_bytes(ARRAYS.train_labels)[4:])
    assert_read_fails(path, LABELS, "found magic number 3329, expected 2049 (labels)")


def test_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.touch()
    assert_read_fails(path, IMAGES, "found 0 bytes, expected a header of 16 bytes")


def test_test_images_where_training_images_belong_are_told_by_the_count(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(ARRAYS.test_images))
    assert_read_fails(path, IMAGES, "found 20 images, expected 40")


def test_wrong_image_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.zeros((40, 32, 28), np.uint8)))
    assert_read_fails(path, IMAGES, "found images of 32 x 28 pixels, expected 28 x 28")


def test_payload_shorter_than_the_header_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(ARRAYS.train_labels)[:-3])
    assert_read_fails(path, LABELS, "found 37 bytes of labels after the header, expected 40")


def test_payload_longer_than_the_header_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(idx_bytes(ARRAYS.train_labels) + bytes(5)))
    assert_read_fails(path, LABELS, "found more bytes of labels after the header, expected 40")


def test_label_out_of_range_is_refused_with_its_index(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    labels = ARRAYS.train_labels.copy()
    labels[7] = 12
    path.write_bytes(idx_bytes(labels))
    assert_read_fails(path, LABELS, "found label 12 at index 7, expected 0 to 9")


def test_one_changed_pixel_is_refused_by_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "images"
    images = ARRAYS.train_images.copy()
    images[3, 14, 14] ^= 1
    path.write_bytes(idx_bytes(images))
    found = hashlib.sha256(images.data).hexdigest()
    assert_read_fails(path, IMAGES, f"found images with SHA-256 {found}, expected {IMAGES.sha256}")


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    assert_read_fails(tmp_path, IMAGES, "Is a directory")


def test_cache_gives_back_what_was_written_memory_mapped_and_read_only(tmp_path: Path) -> None:
    write_cache(tmp_path / "new" / "cache", ARRAYS, EXPECTED)
    found = read_cache(tmp_path / "new" / "cache", EXPECTED)
    assert all(np.array_equal(*pair) for pair in zip(found, ARRAYS, strict=True))
    assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in found)


def test_cache_holds_the_four_files_and_nothing_temporary(tmp_path: Path) -> None:
    write_cache(tmp_path, ARRAYS, EXPECTED)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.npy" for name in NAMES)


def test_cache_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DatasetFileError, match=f"^{re.escape(str(tmp_path / 'file'))}: (File exists|Not a dir)"
    ):
        write_cache(tmp_path / "file", ARRAYS, EXPECTED)


def test_missing_cache_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetMissingError, match=rf"^{re.escape(str(tmp_path))}/train-images.npy: no such file$"
    ):
        read_cache(tmp_path, EXPECTED)


def test_cache_file_cut_short_is_found_on_opening(tmp_path: Path) -> None:
    write_cache(tmp_path, ARRAYS, EXPECTED)
    path = tmp_path / "train-labels.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetFileError, match=r"train-labels.npy: found 167 bytes, expected 168$"):
        open_cached(tmp_path, LABELS)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(40, np.int64),
        np.zeros(39, np.uint8),
        np.zeros((40, 1), np.uint8),
    ],
)
def test_cache_file_of_another_type_or_shape_is_found_on_opening(
    tmp_path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.integer]]
) -> None:
    np.save(tmp_path / "train-labels.npy", array)
    message = r"train-labels.npy: found another .npy header, expected that of uint8 labels \(40,\)$"
    with pytest.raises(DatasetFileError, match=message):
        open_cached(tmp_path, LABELS)


@pytest.mark.parametrize("position", range(0, 128, 9))
def test_damaged_cache_header_is_found_on_opening(tmp_path: Path, position: int) -> None:
    write_cache(tmp_path, ARRAYS, EXPECTED)
    path = tmp_path / "train-images.npy"
    content = bytearray(path.read_bytes())
    content[position] ^= 0x08
    path.write_bytes(content)
    with pytest.raises(DatasetFileError, match=r"train-images.npy: found another .npy header"):
        open_cached(tmp_path, IMAGES)


def test_one_changed_byte_in_the_cache_is_found_by_the_checksum(tmp_path: Path) -> None:
    write_cache(tmp_path, ARRAYS, EXPECTED)
    path = tmp_path / "t10k-images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        DatasetFileError, match=r"t10k-images.npy: found images with SHA-256 \w+, expected \w+$"
    ):
        read_cache(tmp_path, EXPECTED)


def test_a_label_of_ten_is_one_too_many(tmp_path: Path) -> None:
    labels = ARRAYS.train_labels.copy()
    labels[3] = 10
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(labels))
    assert_read_fails(path, LABELS, "found label 10 at index 3, expected 0 to 9")


def test_the_dataset_is_fashion_mnist_as_published() -> None:
    # The labels of https://github.com/zalandoresearch/fashion-mnist, and what `sha256sum` says of the arrays.
    assert (
        " ".join(CLASS_NAMES) == "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle boot"
    )
    assert (IMAGE_SIDE, TRAIN_COUNT, TEST_COUNT) == (28, 60_000, 10_000)
    assert [(each.name, each.shape, each.sha256[:16]) for each in FASHION_MNIST] == [
        ("train-images", (60_000, 28, 28), "2e487a6c89124f78"),
        ("train-labels", (60_000,), "657fbd221bfc9f41"),
        ("t10k-images", (10_000, 28, 28), "c867c93ff9536059"),
        ("t10k-labels", (10_000,), "3d0e6c6ea990b53b"),
    ]
    assert {len(each.sha256) for each in FASHION_MNIST} == {64}
    assert Path("usr/share/datasets/fashion-mnist") == DEBIAN_FOLDER
