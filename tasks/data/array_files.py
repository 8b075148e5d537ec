"""Read files of arrays: NumPy's `.npz`, and tables of pixels as CSV."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from storage.dataset_files import DatasetFileError
from study.spec import ArrayNames
from study.wording import shortened, shown
from tasks.data.labelled import Labelled, Pair, make_labelled

KNOWN_NAMES = (
    ArrayNames(images="x_train", labels="y_train", test_images="x_test", test_labels="y_test"),
    ArrayNames(
        images="train_images", labels="train_labels", test_images="test_images", test_labels="test_labels"
    ),
    ArrayNames(images="X_train", labels="y_train", test_images="X_test", test_labels="y_test"),
    ArrayNames(images="images", labels="labels"),
    ArrayNames(images="images", labels="target"),
    ArrayNames(images="x", labels="y"),
    ArrayNames(images="X", labels="y"),
    ArrayNames(images="data", labels="target"),
)
"""Names that arrays usually have: Keras's, MedMNIST's, scikit-learn's and shorter ones."""


def read_npz(path: Path, names: ArrayNames | None = None, has_test: bool = False) -> Labelled:
    """Read an `.npz` file; with `has_test` the test part lies elsewhere.

    Raises:
        DatasetFileError: It is no such file, or lacks an array.
    """
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as opened:  # NumPy opens others, too
            arrays = {name: opened[name] for name in _chosen(path, opened.files, names)}
            found = _choose(path, opened.files, names)
    except DatasetFileError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        reason = "an array of Python objects, which is not read" if "allow_pickle" in str(error) else error
        if isinstance(error, zipfile.BadZipFile):
            reason = "no .npz file, or a damaged one"
        raise DatasetFileError(
            f"{path}: found {shortened(str(reason), 200)}; expected a sound .npz file of numbers, as "
            "np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...) writes it"
        ) from error
    return make_labelled(str(path), *_pairs(arrays, found, has_test))


def _pairs(
    arrays: Mapping[str, np.ndarray[Any, Any]], names: ArrayNames, has_test: bool
) -> tuple[Pair, Pair | None]:
    train = arrays[names.images], arrays[names.labels]
    if has_test or names.test_images not in arrays or names.test_labels not in arrays:
        return train, None
    return train, (arrays[names.test_images], arrays[names.test_labels])


def _chosen(path: Path, there: list[str], names: ArrayNames | None) -> list[str]:
    """Name the arrays to read: those of the test part as far as they are there."""
    return [name for name in dict(_choose(path, there, names)).values() if name in there]


def _choose(path: Path, there: list[str], names: ArrayNames | None) -> ArrayNames:
    wanted = (names,) if names else KNOWN_NAMES
    for each in wanted:
        needed = [name for name in dict(each).values() if name] if names else [each.images, each.labels]
        if set(needed) <= set(there):
            return each
    expected = " or ".join(f"{each.images} and {each.labels}" for each in wanted)
    raise DatasetFileError(
        f"{path}: found arrays {', '.join(there) or 'none'}; expected {expected}; other names can be given "
        "as arrays: {images: ..., labels: ..., test_images: ..., test_labels: ...}"
    )


def read_csv(path: Path, label: str, size: tuple[int, int] | None) -> Labelled:
    """Read a table of pixels, one image a line, as Kaggle has it: a column of labels, the others pixels.

    Without a header the first column has the labels. `size` is height and width of images that are not
    square.

    Raises:
        DatasetFileError: It is no such table.
    """
    import pandas as pd  # late: it imports for half a second

    try:
        first = pd.read_csv(path, nrows=1, header=None, dtype=str)
        has_header = bool(pd.to_numeric(first.iloc[0, 1:], errors="coerce").isna().any())
        table = pd.read_csv(path, header=0 if has_header else None, low_memory=False)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise DatasetFileError(
            f"{path}: found {shortened(str(error), 200)}; expected a CSV file with a column {label!r} and "
            "one for each pixel"
        ) from error
    column = label if has_header else 0
    if column not in table.columns:
        raise DatasetFileError(
            f"{path}: found columns {', '.join(map(str, table.columns[:3]))}, ..., expected one called "
            f"{label!r}; another name can be given as label: NAME"
        )
    pixels = table.drop(columns=column)
    if size is not None and size[0] * size[1] != pixels.shape[1]:
        raise DatasetFileError(
            f"{path}: found {pixels.shape[1]:,} columns of pixels, expected {size[0]} x {size[1]}"
        )
    _check_pixels(path, pixels)
    images = pixels.to_numpy().reshape(-1, *size) if size else pixels.to_numpy()
    labels = table[column].to_numpy()
    return make_labelled(str(path), (images, labels.astype(str) if labels.dtype == object else labels), None)


def _check_pixels(path: Path, pixels: Any) -> None:
    import pandas as pd

    for name in pixels.columns:
        missing = pd.to_numeric(pixels[name], errors="coerce").isna()
        if missing.any():
            line = int(np.argmax(missing))
            value = pixels[name].iloc[line]
            found = shown(value) if isinstance(value, str) else "nothing"
            raise DatasetFileError(
                f"{path}: found {found} in column {name!r} of image {line + 1:,}, expected a number"
            )
