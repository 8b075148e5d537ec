"""Read a folder of class folders of pictures, such as `cats/1.jpg` and `dogs/1.jpg`."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from storage.dataset_files import MOST_BYTES, DatasetFileError
from study.errors import InputError
from study.wording import count
from tasks.data.labelled import Labelled, Part
from tasks.data.picture_files import SUFFIXES, list_pictures
from tasks.data.pictures import Pixels, read_image

TRAIN_FOLDERS, TEST_FOLDERS = ("train", "training"), ("test", "testing", "val", "valid", "validation")


def has_pictures(folder: Path) -> bool:
    """Say whether a folder has class folders of pictures, or such folders for training and test."""
    top = _part_folder(folder, TRAIN_FOLDERS) or folder
    return any(path.suffix.lower() in SUFFIXES for each in _class_folders(top) for path in each.rglob("*"))


def read_picture_folder(
    folder: Path, size: tuple[int, int] | None = None, channels: int | None = None, has_test: bool = False
) -> Labelled:
    """Read all pictures below each class folder; folders `train` and `test`, if they are there, are parts.

    Pictures are grey if all are. Of different sizes they are refused, unless `size`, height and width, is
    given: then each is stretched to it. With `has_test` the test part lies elsewhere.

    Raises:
        InputError: There is no picture, one cannot be read, or their sizes differ.
    """
    train = _part_folder(folder, TRAIN_FOLDERS)
    test = _part_folder(folder, TEST_FOLDERS) if train and not has_test else None
    tops = [train or folder, *([test] if test else [])]
    listed = [_list_classes(top) for top in tops]
    paths = [path for part in listed for path, _ in part]
    pictures = _read_all(paths, size)
    is_colour = channels == 3 or (channels is None and any(each.ndim == 3 for each in pictures))
    images = np.stack([_set_channels(each, is_colour) for each in pictures])
    ends = np.cumsum([len(part) for part in listed])[:-1]
    parts = [
        Part(pixels, np.array([name for _, name in part]))
        for pixels, part in zip(np.split(images, ends), listed, strict=True)
    ]
    resized = (f"pictures were stretched to {size[0]} x {size[1]} pixels",) if size else ()
    return Labelled(parts[0], parts[1] if test else None, _order(parts), resized)


def _part_folder(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _class_folders(top: Path) -> list[Path]:
    return sorted(each for each in top.iterdir() if each.is_dir() and not each.name.startswith("."))


def _list_classes(top: Path) -> list[tuple[Path, str]]:
    """List every picture below a folder with the name of its class folder."""
    folders = _class_folders(top)
    if len(folders) < 2:
        raise DatasetFileError(
            f"{top}: found {count(len(folders), 'folder')}, expected one for each class, two at least"
        )
    return [(path, each.name) for each in folders for path in list_pictures([each]).pictures]


def _order(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the classes in their order: numbers in names count as numbers, "2" before "10"."""
    names = {str(name) for part in parts for name in part.labels}
    return tuple(
        sorted(names, key=lambda name: [(len(t), t) if t.isdigit() else (0, t) for t in _tokens(name)])
    )


def _tokens(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def _read_all(paths: Sequence[Path], size: tuple[int, int] | None) -> list[Pixels]:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # an error names the picture
    first = _read(paths[0], size)
    if len(paths) * first.size > MOST_BYTES:
        raise DatasetFileError(
            f"{paths[0]}: {len(paths):,} pictures of {first.shape[0]} x {first.shape[1]} pixels take more "
            f"than {MOST_BYTES:,} bytes; give a smaller size: {{size: 64}}"
        )
    with ThreadPoolExecutor() as threads:  # OpenCV decodes without Python's lock
        pictures = list(threads.map(lambda path: _read(path, size), paths))
    for path, each in zip(paths, pictures, strict=True):
        if each.shape[:2] != first.shape[:2]:
            raise DatasetFileError(
                f"{path}: found a picture of {each.shape[0]} x {each.shape[1]} pixels, expected "
                f"{first.shape[0]} x {first.shape[1]} as {paths[0]} has; size: 64 in the study's data makes "
                "all 64 x 64, size: [48, 64] 48 high and 64 wide"
            )
    if size is None and not all(2 <= side <= 512 for side in first.shape[:2]):
        raise DatasetFileError(
            f"{paths[0]}: found a picture of {first.shape[0]} x {first.shape[1]} pixels, expected sides of 2 "
            "to 512; size: 64 in the study's data makes all 64 x 64"
        )
    return pictures


def _read(path: Path, size: tuple[int, int] | None) -> Pixels:
    """Read one picture: grey (height, width) if its channels are equal, else RGB."""
    try:
        picture = read_image(path)
    except InputError as error:
        raise DatasetFileError(str(error)) from error
    return to_size(_grey_or_rgb(picture), size)


def _grey_or_rgb(picture: Pixels) -> Pixels:
    if picture.ndim == 3 and (picture == picture[..., :1]).all():
        return picture[..., 0]
    return picture[..., ::-1] if picture.ndim == 3 else picture


def to_size(picture: Pixels, size: tuple[int, int] | None) -> Pixels:
    """Stretch a picture to height and width: the mean of pixels where it shrinks, else interpolated."""
    if size is None or picture.shape[:2] == size:
        return picture
    shrinks = picture.shape[0] >= size[0] and picture.shape[1] >= size[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size[::-1], interpolation=method), np.uint8)


def _set_channels(picture: Pixels, is_colour: bool) -> Pixels:
    if is_colour and picture.ndim == 2:
        return np.repeat(picture[..., np.newaxis], 3, axis=2)
    if not is_colour and picture.ndim == 3:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.uint8)
    return picture


def prepare_picture(picture: Pixels, shape: tuple[int, int, int]) -> Pixels:
    """Turn a picture, grey or BGR of any size, into an image (height, width, channels) of this shape."""
    sized = to_size(_grey_or_rgb(picture), shape[:2])
    return _set_channels(sized, shape[2] == 3).reshape(shape)
