"""The one style sheet of all figures, and how they are saved: PNG and SVG, equal bytes for equal input."""

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from storage.place import write_atomically

logger = logging.getLogger(__name__)

# Okabe and Ito, "Color Universal Design" (2008): told apart by colour-blind readers. Every series has a
# marker shape of its own as well, so that the figures read in grey.
BLUE, VERMILLION = "#0072B2", "#D55E00"
INK, GREY, FAINT = "#222222", "#6B6B6B", "#DDDDDD"

PNG_DOTS_PER_INCH = 150

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # the font matplotlib brings: the same figure on every machine
    "font.size": 10,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "fashion-mnist-study",
}
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class DrawnFigure:
    """A figure on disk, with the words that belong to it; `alt` tells a screen reader what it shows."""

    name: str
    exercise: int
    caption: str
    alt: str
    png: Path
    svg: Path


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Open an empty figure of `width` x `height` inches in our style; draw and save it inside the block.

    matplotlib's settings are global to the process, so one figure is drawn at a time; afterwards they are as
    they were. A person's own matplotlibrc has no say.
    """
    with _DRAWING, matplotlib.style.context(_STYLE, after_reset=True):
        yield Figure(figsize=(width, height), dpi=PNG_DOTS_PER_INCH, layout="constrained")


def save(
    figure: Figure, folder: Path, name: str, *, exercise: int, title: str, caption: str, alt: str
) -> DrawnFigure:
    """Write `name.png` and `name.svg`, each atomically, and return them with their words.

    Raises:
        OSError: the folder cannot be written to.
    """
    # Not by `savefig`, which draws each file twice: the first time only to find where all has its place.
    png = _draw_png(figure)
    figure.set_layout_engine("none")  # that is known by now, and a third of drawing
    # Neither a date nor a version of matplotlib in the files: equal figures are equal bytes.
    about = {"Title": title, "Description": alt, "Date": None, "Creator": None}
    svg = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(svg, metadata=about)
    drawn = DrawnFigure(
        name,
        exercise,
        caption,
        alt,
        png=write_atomically(folder / f"{name}.png", png),
        svg=write_atomically(folder / f"{name}.svg", svg.getvalue()),
    )
    logger.info("figure: %s (%d kB)", drawn.png, len(png) // 1000)
    return drawn


def _draw_png(figure: Figure) -> bytes:
    # A palette of 256 colours, no transparency: a third of the size, as reports and the server's database
    # hold these images inline. Pillow comes with matplotlib.
    content = io.BytesIO()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    reduced = picture.quantize(256, dither=Image.Dither.NONE)
    reduced.save(content, "png", optimize=True, dpi=(PNG_DOTS_PER_INCH, PNG_DOTS_PER_INCH))
    return content.getvalue()
