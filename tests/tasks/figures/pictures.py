"""A check of what a figure has: two files that show something, and words."""

import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest

from tasks.figures.style import PNG_DOTS_PER_INCH, WIDTH, DrawnFigure


def assert_is_picture(figure: DrawnFigure) -> None:
    """The PNG has ink on white paper and is small; the SVG can be read; there are words, not too many."""
    picture = cv2.imread(str(figure.png))
    assert picture.shape[1] == WIDTH * PNG_DOTS_PER_INCH
    assert np.ptp(picture) == pytest.approx(255, abs=40), "ink on white paper"
    assert figure.png.stat().st_size < 180_000, "more than 200 kB would not be shown in Prefect's pages"
    assert ElementTree.parse(figure.svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert figure.png.stem == figure.svg.stem == figure.name
    assert len(figure.caption) > 20
    assert 40 < len(figure.alt) < 700
