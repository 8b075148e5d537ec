"""Find the one garment of a picture: the frame around it, its background, and whether it is one at all."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from study.fashion_mnist import IMAGE_SIDE

Pixels = npt.NDArray[np.uint8]

CLOSENESS = 12
"""Grey levels, 5% of 255, within which a pixel counts as background, as for the dataset's makers
(arXiv:1708.07747, section 2)."""

SEARCHED_AT = 8 * IMAGE_SIDE
"""Longest side, in pixels, of the picture that is searched: noise averages out in a smaller one."""

FULL = 0.8
"""Share of a line that a frame fills; just outside, at most the rest is filled, by ticks."""

LEAST_FRAME = 3 * IMAGE_SIDE // 4
"""Least side of what a frame surrounds, in pixels of the picture that is searched."""

OTHERS = 0.02
"""Size of all that lies beside the largest thing, relative to it, from which there are several things.

Measured: in 1.4% of 1,000 test images, mostly of shoes, parts lie that far apart.
"""

SHARP = 3 * CLOSENESS
"""Grey levels by which a garment's edge differs within 5 pixels; shades on empty paper do not."""

NOT_PLAIN = 0.4
"""Share of the outermost line that stands out from its median, from which it is no plain background.

Measured: none of the 70,000 images has a light line that is plain, 99.8% have a dark one.
"""

LEAST_FILLED = 0.1
"""Share of the square around it that a garment fills at least; every test image but one fills more.

The square is at least an eighth of the picture's longest side, so that strokes and specks are no garments.
"""

SEVERAL = "several separate things"
NOTHING = "nothing stands out"


def measure_background(grey: Pixels) -> int:
    """Return the grey level of the outermost line if that is plain, otherwise of the corners.

    Corners are four squares, each 1/14 of a side and at least a pixel; the level is their median.
    Bags and coats run bright to the edge, but seldom into two corners: of 70,000 images the highest median
    is 51.5.
    """
    line = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    level = int(np.median(line))
    if _stands_out(line, level).mean() < NOT_PLAIN:
        return level
    rows, columns = (max(1, length // 14) for length in grey.shape)
    corners = [grey[y, x] for y in _ends(rows) for x in _ends(columns)]
    return int(np.median(np.concatenate([corner.ravel() for corner in corners])))


def crop_frame(grey: Pixels) -> Pixels:
    """Return what frames and margins surround, such as a plot's axes; the whole picture if there are none.

    A frame is a rectangle, drawn or filled, that stands out from the margin, in which titles, ticks and
    colour bars lie. Of several such rectangles none is chosen.
    """
    while (window := _find_frame(grey)) is not None:
        grey = grey[window]
    return grey


def find_garment(grey: Pixels) -> tuple[Pixels, str]:
    """Cut off plain background around a picture's content; return the rest, and why it may be no garment.

    If the background is not plain, as with a pattern or a strong shadow, little or nothing is cut off. Specks
    are ignored. The reason is `SEVERAL`, `NOTHING` or empty.
    """
    small = _shrink(grey)
    content = cv2.morphologyEx(_find_content(small), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    edges = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    if not content.any() or edges.max() < SHARP:
        return grey, NOTHING
    things = _separate(content)
    left, top, width, height = cv2.boundingRect(content)
    side = max(width, height, max(small.shape) // 8)
    doubt = NOTHING if content.sum() < LEAST_FILLED * side**2 else ""
    if _beside(things)[:, 4].sum() > OTHERS * things[0, 4]:
        doubt = SEVERAL
    window = _enlarge((top, top + height), (left, left + width), small, grey)
    return grey[window], doubt


def _find_frame(grey: Pixels) -> tuple[slice, slice] | None:
    small = _shrink(grey)
    content = _find_content(small)
    things = _separate(content)
    if not len(things):
        return None
    left, top, width, height, _ = (int(each) for each in things[0])
    beside = _beside(things)
    if (beside[:, 2] * beside[:, 3] > 0.3 * width * height).any():
        return None
    part = content[top : top + height, left : left + width]
    rows, columns = (_find_full_lines(part, axis) for axis in (1, 0))
    if rows is None or columns is None:
        return None
    drawn = max(small.shape) // (4 * IMAGE_SIDE)  # the width of the frame, if it is a line
    rows, columns = _within(rows, top, small.shape[0], drawn), _within(columns, left, small.shape[1], drawn)
    window = _enlarge(rows, columns, small, grey)
    is_plain = np.ptp(grey[window]) < SHARP  # the rectangle is itself what the picture shows
    return None if is_plain or grey[window].shape == grey.shape else window


def _find_full_lines(part: Pixels, axis: int) -> tuple[int, int] | None:
    """Return the first and the last line that a frame fills; None if no frame begins and ends as sharply."""
    near = max(1, min(part.shape) // 60)
    filled = np.pad(part.mean(axis=axis), near)
    full = np.flatnonzero(filled >= FULL)
    if not len(full) or full[-1] - full[0] < max(LEAST_FRAME, FULL * part.shape[1 - axis]):
        return None
    first, last = int(full[0]), int(full[-1])
    if max(filled[first - near : first].min(), filled[last + 1 : last + 1 + near].min()) > 1 - FULL:
        return None
    return first - near, last - near


def _within(lines: tuple[int, int], start: int, length: int, drawn: int) -> tuple[int, int]:
    """Return begin and end of what lies within two lines, where they are not the picture's edge."""
    begin, end = lines[0] + start, lines[1] + start + 1
    return begin + drawn * (begin > 0), end - drawn * (end < length)


def _find_content(small: Pixels) -> Pixels:
    return _stands_out(small, measure_background(small)).astype(np.uint8)


def _stands_out(grey: Pixels, level: int) -> npt.NDArray[np.bool_]:
    return np.abs(grey.astype(np.int16) - level) > CLOSENESS


def _separate(content: Pixels) -> npt.NDArray[np.int32]:
    """Return left, top, width, height and size of each connected thing, `(n, 5)`, the largest box first."""
    _, _, things, _ = cv2.connectedComponentsWithStats(content, connectivity=8)
    order = np.argsort(-things[1:, 2] * things[1:, 3], kind="stable")  # the first is the background
    boxes: npt.NDArray[np.int32] = things[1:][order]
    return boxes


def _beside(things: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the things whose box does not overlap that of the first."""
    (left, top, width, height), (x, y, wide, high) = things[0, :4], things[:, :4].T
    beside = (x >= left + width) | (x + wide <= left) | (y >= top + height) | (y + high <= top)
    others: npt.NDArray[np.int32] = things[beside]
    return others


def _enlarge(
    rows: tuple[int, int], columns: tuple[int, int], small: Pixels, grey: Pixels
) -> tuple[slice, slice]:
    """Return the window of a picture that rows and columns of its smaller copy show, within their edges."""
    by_row, by_column = grey.shape[0] / small.shape[0], grey.shape[1] / small.shape[1]
    return (
        slice(math.ceil(rows[0] * by_row), int(rows[1] * by_row)),
        slice(math.ceil(columns[0] * by_column), int(columns[1] * by_column)),
    )


def _shrink(grey: Pixels) -> Pixels:
    """Shrink a picture until its longest side is at most `SEARCHED_AT`."""
    longest = max(grey.shape)
    if longest <= SEARCHED_AT:
        return grey
    height, width = (max(1, round(length * SEARCHED_AT / longest)) for length in grey.shape)
    smaller: Pixels = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return smaller


def _ends(length: int) -> tuple[slice, slice]:
    return slice(None, length), slice(-length, None)
