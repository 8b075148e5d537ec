"""The garment of a picture: frames around it, several, and none."""

import io

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from tasks.data.dataset import load_dataset
from tasks.model.garment import NOTHING, SEVERAL, crop_frame
from tasks.model.pictures import PreparedImage, prepare_image

BOOT = 0
"""An ankle boot in the test images."""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load_dataset().test()[0]


def enlarge(image: np.ndarray, side: int = 280) -> np.ndarray:
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)


def surround(image: np.ndarray, *sides: int, level: int) -> np.ndarray:
    """Add a margin above, below, left and right; one number is all four."""
    top, bottom, left, right = sides if len(sides) == 4 else sides * 4
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=level)


def plot(
    image: np.ndarray, colours: str, axes: bool = True, bar: bool = False, ink: str = "black"
) -> np.ndarray:
    figure = Figure(figsize=(4, 3), facecolor="white" if ink == "black" else "black")
    subplot = figure.subplots()
    drawn = subplot.imshow(image, cmap=colours)
    subplot.set_title("Ankle boot", color=ink)
    subplot.tick_params(colors=ink)
    for spine in subplot.spines.values():
        spine.set_color(ink)
    if not axes:
        subplot.axis("off")
    if bar:
        figure.colorbar(drawn)
    file = io.BytesIO()
    figure.savefig(file)
    return cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)


def sheet(images: np.ndarray, columns: int, gap: int, level: int, light: bool = False) -> np.ndarray:
    """Put images beside and below each other, with this gap of this level between and around them."""
    framed = [surround(enlarge(255 - each if light else each, 112), gap, level=level) for each in images]
    rows = [np.hstack(framed[start : start + columns]) for start in range(0, len(framed), columns)]
    return np.vstack(rows)


def differ(prepared: PreparedImage, image: np.ndarray) -> float:
    """The mean difference to a training image, 0 to 1."""
    return float(np.abs(prepared.pixels[..., 0] - image / 255).mean())


@pytest.mark.parametrize(
    "options",
    [
        {"colours": "gray"},
        {"colours": "binary"},
        {"colours": "gray", "axes": False},
        {"colours": "gray", "bar": True},
        {"colours": "binary", "bar": True},
        {"colours": "gray", "ink": "white"},
    ],
    ids=str,
)
def test_a_plot_is_read_as_the_image_in_it(images: np.ndarray, options: dict):
    prepared = prepare_image(plot(images[BOOT], **options))
    assert not prepared.doubt
    assert prepared.inverted == (options["colours"] == "binary")
    assert differ(prepared, images[BOOT]) < 0.1, "28 pixels are drawn as 231, and trimmed"


def test_colours_of_a_plot_leave_a_garment_on_dark(images: np.ndarray):
    prepared = prepare_image(plot(images[BOOT], "viridis"))
    assert not prepared.doubt and not prepared.inverted
    assert prepared.pixels[:4].mean() < 0.2 < 0.3 < prepared.pixels[16:24].mean()


MARGINS = {
    "light": lambda image: surround(image, 28, level=255),
    "thin": lambda image: surround(image, 5, level=255),
    "thick": lambda image: surround(image, 200, level=250),
    "grey": lambda image: surround(image, 28, level=200),
    "off-centre": lambda image: surround(image, 10, 150, 90, 20, level=255),
    "bars": lambda image: surround(image, 80, 80, 0, 0, level=255),
    "dark around light": lambda image: surround(255 - image, 40, level=0),
    "dark bars around light": lambda image: surround(255 - image, 0, 0, 80, 80, level=10),
    "a line around light": lambda image: surround(surround(255 - image, 3, level=0), 30, level=255),
    "two": lambda image: surround(surround(image, 20, 80, 20, 20, level=245), 60, level=100),
}


@pytest.mark.parametrize("kind", MARGINS)
def test_margins_and_frames_make_no_difference(images: np.ndarray, kind: str):
    picture = enlarge(images[BOOT])
    prepared = prepare_image(MARGINS[kind](picture))
    assert not prepared.doubt
    assert prepared.inverted == ("around light" in kind)
    assert np.abs(prepared.pixels - prepare_image(picture).pixels).mean() < 0.04


def test_a_margin_around_28_by_28_pixels_is_cut_off_to_the_pixel(images: np.ndarray):
    assert differ(prepare_image(surround(images[BOOT], 4, level=255)), images[BOOT]) < 1e-6


@pytest.mark.parametrize("light", [False, True])
def test_a_garment_is_no_frame_and_one_thing(images: np.ndarray, light: bool):
    pictures = [enlarge(255 - each if light else each) for each in images[:300]]
    assert all(crop_frame(each).shape == each.shape for each in pictures)
    assert sum(prepare_image(each).doubt != "" for each in pictures) <= 5, "parts of a shoe may lie apart"


def shop(image: np.ndarray) -> np.ndarray:
    """A garment on white below a bar, above a price and a button."""
    page = surround(255 - enlarge(image), 160, 200, 8, 8, level=250)
    page[:32] = 30
    cv2.putText(page, "12.99 EUR", (16, 520), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 20, 1, cv2.LINE_AA)
    page[560:610, 16:280] = 110
    return page


@pytest.mark.parametrize(
    "make",
    [
        lambda images: sheet(images[:9], 3, 0, 0),
        lambda images: sheet(images[:9], 3, 2, 255),
        lambda images: sheet(images[:9], 3, 8, 255, light=True),
        lambda images: sheet(images[:2], 2, 12, 255),
        lambda images: sheet(images[:2], 1, 12, 255, light=True),
        lambda images: shop(images[BOOT]),
    ],
    ids=["nine", "nine in white frames", "nine on white", "two", "two below each other", "a shop's page"],
)
def test_several_things_are_named(images: np.ndarray, make):
    assert prepare_image(make(images)).doubt == SEVERAL


def shade(falls: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 3, (400, 300))
    return np.clip(250 - np.linspace(0, falls, 400)[:, None] + noise, 0, 255).astype(np.uint8)


def stroke() -> np.ndarray:
    page = np.full((600, 420), 252, np.uint8)
    return cv2.line(page, (100, 100), (300, 300), 40, 4)


@pytest.mark.parametrize(
    "page",
    [np.full((300, 200), 255, np.uint8), np.full((28, 28), 7, np.uint8), shade(0), shade(80), stroke()],
    ids=["white", "28 x 28", "noise", "uneven light", "a stroke of a pen"],
)
def test_a_page_without_a_garment_is_named(page: np.ndarray):
    assert prepare_image(page).doubt == NOTHING
