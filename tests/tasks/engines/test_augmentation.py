"""Augmentation: what becomes of an image is decided by seed, epoch and its number, and looks as it says."""

import numpy as np
import pytest

from tasks.engines.seeds import augment, describe, draw_transformations, transform

IMAGES = np.random.default_rng(0).integers(1, 256, (60, 28, 28), np.uint8)
ALL = np.arange(60)


def test_fifty_transformations_are_each_a_flip_or_none_and_a_shift():
    found = {describe(code) for code in range(50)}
    assert found == {
        (flips, down, right) for flips in (False, True) for down in range(-2, 3) for right in range(-2, 3)
    }


def test_a_flipped_image_is_its_mirror_and_the_shift_follows_the_flip():
    assert np.array_equal(transform(IMAGES, True, 0, 0), IMAGES[:, :, ::-1])
    assert np.array_equal(transform(IMAGES, True, 1, 2), transform(IMAGES[:, :, ::-1], False, 1, 2))


@pytest.mark.parametrize("down", range(-2, 3))
@pytest.mark.parametrize("right", range(-2, 3))
def test_a_shifted_image_is_moved_and_black_where_nothing_is_left(down: int, right: int):
    moved = transform(IMAGES, False, down, right)
    for row in range(28):
        for column in range(28):
            before = (row - down, column - right)
            inside = all(0 <= each < 28 for each in before)
            expected = IMAGES[(slice(None), *before)] if inside else 0
            assert np.array_equal(moved[:, row, column], np.broadcast_to(expected, 60))


def test_about_half_of_the_images_are_flipped_and_every_shift_is_as_likely():
    drawn = [describe(code) for code in draw_transformations(50_000, 1, 1)]
    assert np.mean([flips for flips, _, _ in drawn]) == pytest.approx(0.5, abs=0.01)
    _, counts = np.unique([[down, right] for _, down, right in drawn], axis=0, return_counts=True)
    assert len(counts) == 25
    assert counts == pytest.approx(2000, abs=220)  # five standard deviations


@pytest.mark.parametrize("how", ["flip", "shift", "flip-shift"])
def test_every_image_becomes_what_was_drawn_for_it(how: str):
    chosen, order = np.array([5, 30, 7, 59]), np.array([2, 0, 3])
    shown = augment(IMAGES, chosen, order, how, seed=1, epoch=4)
    assert (shown.shape, shown.dtype) == ((3, 28, 28), np.uint8)
    for image, number in zip(shown, order, strict=True):
        flips, down, right = describe(draw_transformations(4, 1, 4)[number])
        expected = transform(
            IMAGES[chosen[number], np.newaxis],
            flips and how != "shift",
            down if how != "flip" else 0,
            right if how != "flip" else 0,
        )
        assert np.array_equal(image, expected[0])


def test_neither_the_order_nor_further_images_change_what_becomes_of_one_and_no_image_itself_changes():
    before = IMAGES.copy()
    straight = augment(IMAGES, ALL, ALL, "flip-shift", 1, 1)
    assert np.array_equal(augment(IMAGES, ALL, ALL[::-1], "flip-shift", 1, 1), straight[::-1])
    assert np.array_equal(augment(IMAGES, ALL[:20], ALL[:20], "flip-shift", 1, 1), straight[:20])
    assert np.array_equal(IMAGES, before)


def test_every_epoch_and_every_seed_draws_anew():
    drawn = [draw_transformations(100, seed, epoch).tobytes() for seed in (1, 2) for epoch in range(1, 21)]
    assert len(set(drawn)) == 40
