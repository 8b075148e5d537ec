"""A person's own pictures: prepared as training images are."""

import cv2
import numpy as np
import pytest

from tasks.data.dataset import load_dataset, scale_pixels
from tasks.model.pictures import prepare_image


def make_garment(height=28, width=28, background=0, garment=200):
    image = np.full((height, width), background, dtype=np.uint8)
    image[height // 4 : -(height // 4), width // 4 : -(width // 4)] = garment
    return image


@pytest.fixture(scope="module")
def real_images():
    images, _ = load_dataset().test()
    return images


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
