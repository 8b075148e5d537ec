"""The work: data, model, training, lanes, figures, export and report."""

import os

PIXEL_LIMIT = "OPENCV_IO_MAX_IMAGE_PIXELS"
"""OpenCV reads this variable once, when it is imported: so it is set before any module of this floor is."""

# 2^28, twenty photographs: a few bytes of file can stand for OpenCV's own 2^30, and those for 4 GB of memory.
os.environ.setdefault(PIXEL_LIMIT, str(2**28))
