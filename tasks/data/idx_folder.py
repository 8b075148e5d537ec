"""Read a folder of IDX files under whatever names they are found: MNIST, KMNIST, EMNIST and their like."""

import re
from pathlib import Path

from storage.dataset_files import DatasetFileError, DatasetMissingError, read_any_idx
from tasks.data.labelled import Labelled, Part

NAME = re.compile(
    r"(?P<begin>.*?)(?P<part>train|t10k|test)[-_.](?P<noun>images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?$"
)
"""`train-images-idx3-ubyte.gz`, `t10k-labels.idx1-ubyte`, `emnist-letters-test-images-idx3-ubyte`."""

PARTS = {"train": "train", "t10k": "test", "test": "test"}


def has_idx(place: Path) -> bool:
    """Say whether a folder, or one below it, has IDX files; the last part of a path may begin their names."""
    return bool(_find(place))


def read_idx_set(place: Path) -> Labelled:
    """Read the training part, and the test part if there is one; the nearest files are taken.

    EMNIST's images lie on their side (https://www.nist.gov/itl/products-and-services/emnist-dataset): they
    are set upright.

    Raises:
        DatasetFileError: A file is missing, damaged, or fits no other; or there are several datasets.
    """
    found = _find(place)
    begins = sorted({begin for begin, _, _ in found})
    if len(begins) > 1:
        raise DatasetFileError(
            f"{place}: found the files of {len(begins)} datasets, {', '.join(begins)}; expected those of "
            f"one: give a path with the beginning of their names, such as {place / begins[0].rstrip('-_.')}"
        )
    parts = {part: _read_part(place, found, begins[0], part) for part in ("train", "test")}
    if parts["train"] is None:
        raise DatasetMissingError(f"{place}: found no training images, expected train-images-idx3-ubyte")
    is_emnist = "emnist" in begins[0].lower()
    notes = ("the images of EMNIST, which lie on their side in its files, were set upright",)
    return Labelled(parts["train"], parts["test"], notes=notes if is_emnist else ())


def _find(place: Path) -> dict[tuple[str, str, str], Path]:
    """Map beginning, part and noun of each name to the nearest file that has it."""
    folder, prefix = (place, "") if place.is_dir() else (place.parent, place.name)
    if not folder.is_dir():
        return {}
    paths = folder.rglob("*ubyte*") if not prefix else folder.glob(f"{prefix}*ubyte*")
    found: dict[tuple[str, str, str], Path] = {}
    for path in sorted(paths, key=lambda path: (len(path.parts), path.name)):
        match = NAME.match(path.name)
        if match and path.is_file() and not path.name.startswith("."):
            found.setdefault((match["begin"], PARTS[match["part"]], match["noun"]), path)
    return found


def _read_part(place: Path, found: dict[tuple[str, str, str], Path], begin: str, part: str) -> Part | None:
    images, labels = (found.get((begin, part, noun)) for noun in ("images", "labels"))
    if images is None and labels is None:
        return None
    if images is None or labels is None:
        there, missing = (labels, "images") if images is None else (images, "labels")
        raise DatasetMissingError(f"{place}: found {there and there.name}, but not its {missing}")
    pixels, classes = read_any_idx(images, "images", 3), read_any_idx(labels, "labels", 1)
    if len(pixels) != len(classes):
        raise DatasetFileError(
            f"{labels}: found {len(classes):,} labels, expected {len(pixels):,}, one for each image of "
            f"{images.name}"
        )
    return Part(pixels.transpose(0, 2, 1).copy() if "emnist" in begin.lower() else pixels, classes)
