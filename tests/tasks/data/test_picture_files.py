"""Which files are pictures, by content, and what else lies in a folder."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from study.errors import InputError
from tasks.data.picture_files import READABLE, SUFFIXES, list_pictures, name_kind

PIXELS = np.zeros((64, 64, 3), np.uint8)
HEIC = b"\0\0\0\x24ftypheic\0\0\0\0mif1heic"
SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="4"/>'


def encode(suffix: str) -> bytes:
    pixels = PIXELS[..., 0] if suffix in (".pbm", ".pgm") else PIXELS
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {".jfif"}))
def test_what_opencv_writes_is_known_by_its_content(suffix: str):
    assert name_kind(encode(suffix)) in READABLE


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        (HEIC, "HEIC (convert it to JPEG)"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "HEIC (convert it to JPEG)"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", None),
        (SVG, "SVG"),
        (b"<!DOCTYPE html><p>not found", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"BMW, a list of cars and prices", None),
        (b"P1-notes", None),
        (b"", None),
    ],
)
def test_what_people_take_for_pictures_is_named(begin: bytes, kind: str | None):
    assert name_kind(begin) == kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    contents = {
        **{
            name: encode(".jpg")
            for name in ("b.jfif", "c.jpg_large", "no suffix", ".hidden.jpg", ".git/d.jpg")
        },
        **{name: encode(".png") for name in ("deep/e.png", "odd[1].PNG", "f.jpg")},
        "broken.png": b"no picture",
        "photo.HEIC": HEIC,
        "one.svg": SVG,
        "two.svg": SVG,
        "notes.txt": b"words",
        "README": b"words",
        "answers/00001-e.png": encode(".png"),
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "gone.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    return tmp_path


def test_a_folder_stands_for_its_pictures_whatever_their_names(folder: Path):
    listing = list_pictures([folder], folder / "answers")
    found = [each.relative_to(folder).as_posix() for each in listing.pictures]
    assert found == ["b.jfif", "broken.png", "c.jpg_large", "deep/e.png", "f.jpg", "no suffix", "odd[1].PNG"]
    assert listing.describe_rest() == (
        "9 files passed over: 1 HEIC (convert it to JPEG), 2 SVG, 1 TXT, 1 broken link, 2 hidden, "
        "1 pipe or device, 1 without a suffix"
    )


def test_links_to_folders_are_followed_once(tmp_path: Path):
    for name in ("one/a.png", "elsewhere/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(encode(".png"))
    (tmp_path / "one" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "one" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "one" / "loop").symlink_to(tmp_path / "one")
    pictures = list_pictures([tmp_path / "one"]).pictures
    assert [each.name for each in pictures] == ["a.png", "b.png"]


@pytest.mark.parametrize("name", ["notes.txt", "gone.png", "odd[1].png", "x" * 300])
def test_a_named_file_stands_for_itself(tmp_path: Path, name: str):
    listing = list_pictures([tmp_path / name])
    assert (listing.pictures, listing.describe_rest()) == ([tmp_path / name], "")


def test_a_folder_without_pictures_is_answered_with_what_it_has(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"the folder has no picture \(it is empty\); give one with PNG, JPEG"
    ):
        list_pictures([tmp_path])
    (tmp_path / "photo.HEIC").write_bytes(HEIC)
    expected = r"\(1 file passed over: 1 HEIC \(convert it to JPEG\)\); give one with PNG, JPEG, WebP, "
    with pytest.raises(InputError, match=expected):
        list_pictures([tmp_path])
