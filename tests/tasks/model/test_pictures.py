"""A person's own pictures: read, and prepared as training images are."""

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
from tasks.data.dataset import load_dataset, scale_pixels
from tasks.model.pictures import prepare_image, read_image

DAMAGED = "not an image that OpenCV can read, or a damaged one; give a"


def write_image(path, image, *options):
    assert cv2.imwrite(str(path), image, *options)
    return path


def make_garment(height=28, width=28, background=0, garment=200):
    image = np.full((height, width), background, dtype=np.uint8)
    image[height // 4 : -(height // 4), width // 4 : -(width // 4)] = garment
    return image


@pytest.fixture(scope="module")
def real_images():
    images, _ = load_dataset().test()
    return images


# Reading.


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


# Preparing.


def test_a_training_image_passes_through_unchanged_in_grey_and_in_colour():
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)
    image[:2] = image[-2:] = 0
    for each in (image, cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)):
        prepared = prepare_image(each)
        assert not prepared.inverted
        assert prepared.pixels.dtype == np.float32
        assert np.array_equal(prepared.pixels[..., 0], scale_pixels(image))


def test_a_picture_on_white_is_inverted():
    prepared = prepare_image(255 - make_garment())
    assert prepared.inverted
    assert np.array_equal(prepared.pixels[..., 0], scale_pixels(make_garment()))


@pytest.mark.parametrize(("level", "inverted"), [(127, False), (128, True)])
def test_a_background_above_middle_grey_counts_as_light(level, inverted):
    assert prepare_image(make_garment(60, 60, background=level)).inverted is inverted


def test_no_real_test_image_is_taken_for_one_on_a_light_background(real_images):
    assert len(real_images) == 10_000
    assert sum(prepare_image(image).inverted for image in real_images) == 0


def test_every_real_test_image_in_negative_is_inverted_back_bit_for_bit(real_images):
    for image in real_images[:1000]:
        assert np.array_equal(prepare_image(255 - image).pixels[..., 0], scale_pixels(image))


def test_a_garment_that_touches_every_edge_of_a_white_page_is_still_inverted():
    page = np.full((140, 140), 255, dtype=np.uint8)
    page[40:-40], page[:, 40:-40] = 0, 0
    assert prepare_image(page).inverted


@pytest.mark.parametrize("shape", [(280, 140), (20, 10)], ids=["shrunk", "enlarged"])
def test_a_tall_picture_keeps_its_proportions_and_is_centred(shape):
    pixels = prepare_image(make_garment(*shape)).pixels[..., 0]
    garment = pixels > 0.4
    assert np.ptp(np.flatnonzero(garment.any(axis=1))) + 1 == 28, "what is plain above and below is trimmed"
    assert np.ptp(np.flatnonzero(garment.any(axis=0))) + 1 == pytest.approx(15.5, abs=2)
    assert not pixels[:, :5].any()
    assert not pixels[:, 23:].any()


def test_a_wide_picture_is_padded_with_its_own_background():
    prepared = prepare_image(make_garment(40, 80, background=235, garment=10))
    assert np.array_equal(prepared.pixels[[0, -1]], np.full((2, 28, 1), np.float32(20) / np.float32(255)))


@pytest.mark.parametrize("place", [(0, 0), (300, 40), (90, 500)])
def test_where_a_garment_lies_on_a_plain_page_and_how_small_it_is_does_not_matter(place):
    garment = np.full((224, 224), 60, np.uint8)
    garment[:112, :70] = garment[:112, -70:] = 255  # narrow above, wide below
    page = np.full((700, 800), 255, np.uint8)
    page[place[0] : place[0] + 224, place[1] : place[1] + 224] = garment
    alone, placed = (prepare_image(each).pixels for each in (garment, page))
    assert np.abs(alone - placed).mean() < 0.04
    assert placed[14:, :, 0].mean() > 0.7


def test_specks_do_not_count_as_the_garment():
    page = np.full((560, 560), 255, np.uint8)
    page[200:400, 200:400] = 60
    speckled = page.copy()
    speckled[10, 10] = speckled[550, 20] = 0
    assert np.array_equal(prepare_image(page).pixels, prepare_image(speckled).pixels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (27, 29), (1, 300_000), (300_000, 1)])
def test_a_picture_of_any_shape_becomes_28_by_28(shape):
    prepared = prepare_image(np.full(shape, 40, dtype=np.uint8))
    assert np.array_equal(prepared.pixels, np.full((28, 28, 1), np.float32(40) / np.float32(255)))


def test_reading_pictures_does_not_import_tensorflow():
    code = "import sys, tasks.model.pictures; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0
