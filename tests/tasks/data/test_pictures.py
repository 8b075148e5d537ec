"""A person's own pictures: read from files of any kind."""

import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from study.errors import InputError
from tasks.data.pictures import read_image
from tests.tasks.model.test_pictures import make_garment

DAMAGED = "not an image that OpenCV can read, or a damaged one; give a"


def write_image(path, image, *options):
    assert cv2.imwrite(str(path), image, *options)
    return path


def test_grey_and_colour_pictures_are_read_as_they_are(tmp_path):
    grey = make_garment(30, 20)
    colour = np.dstack([grey, grey // 2, grey // 3])
    assert np.array_equal(read_image(write_image(tmp_path / "grey.png", grey)), grey)
    assert np.array_equal(read_image(write_image(tmp_path / "colour.png", colour)), colour)


@pytest.mark.parametrize(
    ("name", "pixels", "levels"),
    [
        ("deep.png", np.array([[0, 257, 65535]], np.uint16), [0, 1, 255]),
        ("light.tiff", np.array([[-0.05, 0.2, 1, 7, np.nan]], np.float32), [0, 51, 255, 255, 0]),
        ("half.png", np.array([[[0, 0, 0, 255], [0, 0, 0, 51]]], np.uint8), [0, 204]),
        ("nothing.png", np.zeros((1, 3, 4), np.uint8), [255, 255, 255]),
        ("deep-alpha.png", np.array([[[65535] * 4, [0] * 4]], np.uint16), [255, 0]),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_deep_floating_and_transparent_pixels_become_8_bit(tmp_path, name, pixels, levels):
    image = read_image(write_image(tmp_path / name, pixels))
    assert image.dtype == np.uint8
    assert image.reshape(len(levels), -1)[:, 0].tolist() == levels


@pytest.mark.parametrize("white", [1, 255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("kind", [np.float32, np.uint16, np.int32])
def test_pixels_of_any_range_are_scaled_by_the_bits_in_use(tmp_path, kind, white):
    ramp = np.linspace(0, 1, 30 * 30).reshape(30, 30)
    image = read_image(write_image(tmp_path / "deep.tiff", (white * ramp).astype(kind)))
    expected = 255 * (ramp if white > 1 or kind is np.float32 else np.floor(ramp))
    assert np.abs(image - expected).max() <= 1


def test_standardised_pixels_are_scaled_from_the_lowest_to_the_highest(tmp_path):
    ramp = np.linspace(-0.8, 2, 30 * 30, dtype=np.float32).reshape(30, 30)
    image = read_image(write_image(tmp_path / "standardised.tiff", ramp))
    assert np.abs(image - np.linspace(0, 255, 30 * 30).reshape(30, 30)).max() <= 1


@pytest.mark.parametrize(("garment", "background"), [(0, 255), (90, 255), (160, 0), (255, 0)])
def test_a_cut_out_garment_is_laid_on_the_background_it_stands_out_from(tmp_path, garment, background):
    cut_out = np.full((20, 20, 4), garment, dtype=np.uint8)
    cut_out[..., 3] = make_garment(20, 20, background=0, garment=255)
    image = read_image(write_image(tmp_path / "cut-out.png", cut_out))
    assert image.shape == (20, 20, 3)
    assert (image[0, 0] == background).all()
    assert (image[10, 10] == garment).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("container", "mode"),
    [
        *(("JPEG", mode) for mode in ("L", "RGB")),
        *(("PNG", mode) for mode in ("L", "RGBA", "P", "I;16")),
        *(("WEBP", mode) for mode in ("RGB", "RGBA")),
        *(("TIFF", mode) for mode in ("L", "RGBA", "I;16")),
        *(("AVIF", mode) for mode in ("RGB", "RGBA")),
    ],
)
def test_a_picture_is_set_upright_in_every_container(tmp_path, container, mode, orientation):
    levels = np.repeat(np.repeat(np.array([[250, 60, 120], [10, 180, 90]], np.uint8), 16, axis=0), 16, axis=1)
    made = (
        Image.fromarray(levels.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(levels).convert(mode)
    )
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    made.save(tmp_path / "photo", container, exif=exif, **({"lossless": True} if container == "WEBP" else {}))
    image = read_image(tmp_path / "photo")
    turned = Image.fromarray(levels)
    turned.getexif()[ExifTags.Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned))
    assert image.shape[:2] == expected.shape
    assert np.abs((image if image.ndim == 2 else image[..., 0]).astype(int) - expected).mean() < 6


def test_a_file_name_beyond_ascii_is_read(tmp_path):
    assert read_image(write_image(tmp_path / "blåbær été 靴.png", make_garment())).shape == (28, 28)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("gone.png", lambda path: None, "no such file; give an image file"),
        ("folder.png", lambda path: path.mkdir(), "this is a folder; give an image file"),
        ("x" * 300, lambda path: None, r"cannot be read \(File name too long\); give an image file"),
        ("empty.png", lambda path: path.touch(), "the file is empty; give an image file"),
        ("notes.png", lambda path: path.write_text("not pixels"), DAMAGED),
        ("one.svg", lambda path: path.write_text("<svg/>"), "not read: SVG; give a PNG or JPEG file"),
    ],
    ids=["missing", "folder", "long name", "empty", "text", "drawing"],
)
def test_what_is_no_picture_is_refused_with_its_reason(tmp_path, name, make, reason):
    make(tmp_path / name)
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / name))}: {reason}"):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "https://example.org/boot.jpg",
            "https://example.org/boot.jpg: this is an address, nothing is fetched",
        ),
        ("s3://bucket/boot.jpg", "s3://bucket/boot.jpg: this is an address, nothing is fetched"),
        ("file:///tmp/my%20boot.jpg", "this is an address; give the path alone, /tmp/my boot.jpg; give an"),
    ],
)
def test_an_address_is_named_as_one(address, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_image(Path(address))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("half.png", ()),
        ("half.jpg", ([cv2.IMWRITE_JPEG_PROGRESSIVE, 0],)),
        ("half.jpg", ([cv2.IMWRITE_JPEG_PROGRESSIVE, 1],)),
    ],
)
def test_a_picture_cut_short_is_refused(tmp_path, name, options):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200), np.uint8)
    path = write_image(tmp_path / name, noise, *options)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match=f"{name}: {DAMAGED}"):
        read_image(path)


def test_a_picture_over_opencvs_pixel_limit_is_refused(tmp_path):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0))
    path = tmp_path / "huge.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )
    with pytest.raises(
        InputError, match=r"huge.png: OpenCV refuses this image \(.+\); give a smaller PNG or JPEG file$"
    ):
        read_image(path)


def test_reading_pictures_does_not_import_tensorflow():
    code = "import sys, tasks.data; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0
