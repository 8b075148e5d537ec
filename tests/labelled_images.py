"""Small sets of images of one's own, as files of every kind that a study's data may be."""

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np

from study.errors import InputError
from study.spec import DataSlice
from tasks.data.own import read_images

COUNT, CLASSES = 40, 4
GREY = np.random.default_rng(0).integers(0, 255, (COUNT, 8, 10), np.uint8)
SQUARE = np.random.default_rng(1).integers(0, 255, (COUNT, 8, 8), np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 255, (COUNT, 8, 10, 3), np.uint8)
LABELS = np.arange(COUNT) % CLASSES


def write_idx(path: Path, array: np.ndarray, magic: int | None = None) -> Path:
    """Write an IDX file, gzipped if its name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">{1 + array.ndim}I", magic or 2048 + array.ndim, *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_picture(path: Path, image: np.ndarray) -> Path:
    """Write a picture, grey or RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


def write_csv(path: Path, images: np.ndarray, labels: np.ndarray, header: bool = True) -> Path:
    """Write a table of pixels as Kaggle has it."""
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    names = ["label", *(f"pixel{place}" for place in range(rows.shape[1] - 1))]
    np.savetxt(path, rows, "%d", ",", header=",".join(names) if header else "", comments="")
    return path


def read(folder: Path, **given: object):
    """Read a source below a folder."""
    return read_images(DataSlice.model_validate(given).located(folder / "study.yaml"))


def refusal(folder: Path, **given: object) -> str:
    """Return the message with which a source is refused, with paths relative to the folder."""
    try:
        read(folder, **given)
    except InputError as error:
        return str(error).replace(f"{folder}/", "")
    return "it was read"
