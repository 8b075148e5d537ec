"""The one place that turns stored pixels into what the network reads, in training and in prediction alike."""

import numpy as np
import numpy.typing as npt

PIXEL_MAXIMUM = 255.0
"""What pixels are divided by, as the lab does."""


def scale_pixels(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Scale 8-bit pixels to 0..1.

    Args:
        images: Any shape; 0 is the black background, 255 the brightest garment.

    Returns:
        The same shape, float32: each pixel divided by PIXEL_MAXIMUM.
    """
    return images.astype(np.float32) / np.float32(PIXEL_MAXIMUM)
