"""Convert a person's own pictures to the form of training images."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from study.fashion_mnist import IMAGE_SIDE
from tasks.data import MIDDLE_GREY, scale_pixels
from tasks.model.garment import NOTHING, SHARP, Pixels, crop_frame, find_garment, measure_background


@dataclass(frozen=True)
class PreparedImage:
    """A picture as the network reads it: `pixels` `(height, width, channels)` float32 in 0..1.

    `doubt` says why it may show no garment, or several; it is empty for one.
    """

    pixels: npt.NDArray[np.float32]
    inverted: bool
    doubt: str = ""


def prepare_image(image: Pixels) -> PreparedImage:
    """Convert a picture to the form of a training image: grey, black background, 28 x 28, 0..1.

    Margins and frames are cropped. A picture counts as light, and is inverted, if its background is above
    127: 0 of the 10,000 test and 0 of the 60,000 training images are. Plain background around the content is
    trimmed, as in the dataset every garment reaches two opposite edges. A picture that is already 28 x 28
    with a dark background only gets its pixels divided by 255.

    Args:
        image: `(height, width)` grey or `(height, width, 3)` BGR, uint8.
    """
    grey: Pixels = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    shape = (IMAGE_SIDE, IMAGE_SIDE)
    if grey.shape != shape:
        grey = crop_frame(grey)
    background = measure_background(grey)
    inverted = background > MIDDLE_GREY
    if inverted:
        grey, background = np.subtract(255, grey, dtype=np.uint8), 255 - background
    doubt = NOTHING if np.ptp(grey) < SHARP else ""
    if grey.shape != shape:
        garment, doubt = find_garment(grey)
        grey = _fit_into_square(garment, background)
    return PreparedImage(scale_pixels(grey[..., np.newaxis]), inverted, doubt)


def _fit_into_square(grey: Pixels, background: int) -> Pixels:
    """Return the picture as 28 x 28, whole and undistorted, centred on its own background.

    Padded, not stretched: a trouser pulled to a square is as wide as a pullover, and the dataset's makers
    also scaled the longer edge to 28 and padded the shorter one (arXiv:1708.07747, section 2).
    """
    longest = max(grey.shape)
    height, width = (max(1, round(length * IMAGE_SIDE / longest)) for length in grey.shape)
    # Scaled before padding: the square around a 1 x 1,000,000 strip would not fit into memory.
    method = cv2.INTER_AREA if longest > IMAGE_SIDE else cv2.INTER_CUBIC
    square: Pixels = np.full((IMAGE_SIDE, IMAGE_SIDE), background, dtype=np.uint8)
    # When the padding is odd, the dataset has one pixel more above and to the left than below and right.
    top, left = (IMAGE_SIDE - height + 1) // 2, (IMAGE_SIDE - width + 1) // 2
    square[top : top + height, left : left + width] = cv2.resize(grey, (width, height), interpolation=method)
    return square
