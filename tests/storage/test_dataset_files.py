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


def altered(array: Bytes, place: int | tuple[int, ...], value: int) -> Bytes:
    """A copy with another value in one place."""
    copy = array.copy()
    copy[place] = value
    return copy


PIXEL = altered(ARRAYS.train_images, (3, 14, 14), ARRAYS.train_images[3, 14, 14] ^ 1)
IMAGES_IDX, LABELS_IDX = idx_bytes(ARRAYS.train_images), idx_bytes(ARRAYS.train_labels)
IMAGES_GZ, LABELS_GZ, LONGER_GZ = (
    gzip.compress(each, mtime=0)  # without the time, which would be in the names of tests
    for each in (IMAGES_IDX, LABELS_IDX, LABELS_IDX + bytes(5))
)
NO_BLOCK = IMAGES_GZ[:10] + b"\xff" + IMAGES_GZ[11:]  # the first block's type: 3 is reserved
CHECKSUM = IMAGES_GZ[:-8] + bytes([IMAGES_GZ[-8] ^ 1]) + IMAGES_GZ[-7:]


def test_default_cache_folder_follows_xdg_cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "fashion-mnist-study" / "data"


def test_a_folder_of_packed_and_plain_files_is_read_whatever_their_names_say(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, ARRAYS)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(LABELS_IDX)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(ARRAYS.test_labels))
    assert all(map(np.array_equal, read_idx_folder(tmp_path, EXPECTED), ARRAYS))


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


def why_refused(path: Path, content: bytes, expected: ExpectedArray = IMAGES) -> str:
    path.write_bytes(content)
    with pytest.raises(DatasetFileError) as refused:
        read_idx(path, expected)
    return str(refused.value)


@pytest.mark.parametrize(
    ("expected", "content", "fault"),
    [
        (IMAGES, b"", "0 bytes, expected a header of 16 bytes"),
        (IMAGES, IMAGES_GZ[:1000], "a gzip file cut short at 1000 bytes, expected a whole one"),
        (LABELS, LABELS_GZ[:-4], f"a gzip file cut short at {len(LABELS_GZ) - 4} bytes, expected a .*"),
        (IMAGES, NO_BLOCK, r"a corrupt gzip file \(Error -3 .*: invalid block type\), expected a sound one"),
        (IMAGES, CHECKSUM, r"a corrupt gzip file \(CRC check failed .*\), expected a sound one"),
        (LABELS, IMAGES_IDX, r"magic number 2051 \(images\), expected 2049 \(labels\)"),
        (IMAGES, LABELS_IDX, r"magic number 2049 \(labels\), expected 2051 \(images\)"),
        (LABELS, b"\x00\x00\x0d\x01" + LABELS_IDX[4:], r"magic number 3329, expected 2049 \(labels\)"),
        (IMAGES, idx_bytes(ARRAYS.test_images), "20 images, expected 40"),
        (IMAGES, idx_bytes(np.zeros((40, 32, 28), np.uint8)), "images of 32 x 28 pixels, expected 28 x 28"),
        (LABELS, LABELS_IDX[:-3], "37 bytes of labels after the header, expected 40"),
        (LABELS, LONGER_GZ, "more bytes of labels after the header, expected 40"),
        (LABELS, idx_bytes(altered(ARRAYS.train_labels, 3, 10)), "label 10 at index 3, expected 0 to 9"),
        (IMAGES, idx_bytes(PIXEL),
         f"images with SHA-256 {hashlib.sha256(PIXEL.data).hexdigest()}, expected {IMAGES.sha256}"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_a_file_that_is_not_the_expected_one_is_refused_with_what_was_found(
    tmp_path: Path, expected: ExpectedArray, content: bytes, fault: str
) -> None:
    path = tmp_path / "file"
    assert re.search(f"^{re.escape(str(path))}: found {fault}$", why_refused(path, content, expected))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "a web page"),
        (b"\xef\xbb\xbf\n <html>", "a web page"),
        (gzip.compress(b"<html>", mtime=0), "a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n",
            "a pointer of Git LFS; run `git lfs",
        ),
        (b"PK\x03\x04\x14\0", "a zip file; unpack it"),
        (gzip.compress(IMAGES_GZ, mtime=0), "a gzip file within a gzip file; unpack it once"),
    ],
)
def test_another_kind_of_file_under_the_name_is_named(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    assert why_refused(path, content).startswith(f"{path}: is {kind}")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (idx_bytes(np.full((40, 28, 28), 33, np.uint8)), "the digits of MNIST"),
        (idx_bytes(np.full((40, 28, 28), 49, np.uint8)), "KMNIST"),
        (idx_bytes(np.full((40, 28, 28), 44, np.uint8)), "EMNIST"),
        (struct.pack(">4I", 2051, 18_800, 28, 28), "EMNIST balanced"),
    ],
    ids=["MNIST", "KMNIST", "EMNIST", "balanced"],
)
def test_another_dataset_that_people_have_under_these_names_is_named(
    tmp_path: Path, content: bytes, name: str
) -> None:
    why = why_refused(tmp_path / "train-images-idx3-ubyte", content)
    assert why.endswith(f"; these look like {name}, not Fashion-MNIST")


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetFileError, match=f"^{re.escape(str(tmp_path))}: Is a directory$"):
        read_idx(tmp_path, IMAGES)


def test_cache_gives_back_what_was_written_memory_mapped_and_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    write_cache(folder, ARRAYS, EXPECTED)
    found = read_cache(folder, EXPECTED)
    assert all(map(np.array_equal, found, ARRAYS))
    assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in found)
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.npy" for name in NAMES)


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


@pytest.mark.parametrize("position", [*range(0, 128, 9), -1])
def test_one_changed_bit_in_the_cache_is_found_on_opening_or_by_the_checksum(
    tmp_path: Path, position: int
) -> None:
    write_cache(tmp_path, ARRAYS, EXPECTED)
    path = tmp_path / "t10k-images.npy"
    content = bytearray(path.read_bytes())
    content[position] ^= 8
    path.write_bytes(content)
    header = r"another .npy header, expected that of uint8 images \(20, 28, 28\)$"
    found = r"images with SHA-256 \w+, expected \w+$" if position < 0 else header
    with pytest.raises(DatasetFileError, match=f"t10k-images.npy: found {found}"):
        read_cache(tmp_path, EXPECTED) if position < 0 else open_cached(tmp_path, EXPECTED.test_images)


def test_the_dataset_is_fashion_mnist_as_published() -> None:
    # The labels of https://github.com/zalandoresearch/fashion-mnist, and what `sha256sum` says of the arrays.
    assert (
        " ".join(CLASS_NAMES) == "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle boot"
    )
    assert (IMAGE_SIDE, TRAIN_COUNT, TEST_COUNT) == (28, 60_000, 10_000)
    assert [(each.idx_name, each.shape, each.sha256[:16]) for each in FASHION_MNIST] == [
        ("train-images-idx3-ubyte", (60_000, 28, 28), "2e487a6c89124f78"),
        ("train-labels-idx1-ubyte", (60_000,), "657fbd221bfc9f41"),
        ("t10k-images-idx3-ubyte", (10_000, 28, 28), "c867c93ff9536059"),
        ("t10k-labels-idx1-ubyte", (10_000,), "3d0e6c6ea990b53b"),
    ]
    assert {len(each.sha256) for each in FASHION_MNIST} == {64}
    assert Path("usr/share/datasets/fashion-mnist") == DEBIAN_FOLDER
