"""The one style sheet of all figures, their axes, and how they are saved: equal bytes for equal input."""

import io
import logging
import math
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator
from PIL import Image

from storage.results import write_atomically
from study.spec import SweepExercise
from study.wording import listing
from tasks.tables import Picture

logger = logging.getLogger(__name__)

Values = npt.NDArray[np.float64]
"""What is drawn along an axis, in the axis's unit."""

# Okabe and Ito, "Color Universal Design" (2008): for colour-blind readers. Every series has a
# marker shape of its own as well, so that the figures read in grey.
BLUE, VERMILLION = "#0072B2", "#D55E00"
INK, GREY, FAINT = "#222222", "#6B6B6B", "#DDDDDD"

WHITE_FROM = 172 / 256
"""The shade of the colour map `Blues` from which white has more contrast than ink (WCAG 2.1)."""

PNG_DOTS_PER_INCH = 180

WIDTH = 4.0
"""Inches of every figure: a phone 390 px wide shows 317 px of it in a folded part of the report, and letters
of 10 points are 11 px high there."""

_TITLE_LETTERS = 42
"""Letters of a title that fit on a line."""

_FONT = "DejaVu Sans"
"""The font that matplotlib brings: the same figure on every machine."""

_STYLE: dict[str, Any] = {
    "font.family": _FONT,
    "text.parse_math": False,  # a dollar sign in a name is one
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 5,
    "figure.titlesize": 11,
    "legend.fontsize": 10,
    "legend.columnspacing": 1.2,
    "legend.handlelength": 1.5,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
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
class DrawnFigure(Picture):
    """A figure on disk, with its words."""

    svg: Path


@contextmanager
def new_figure(title: str, height: float) -> Iterator[Figure]:
    """Open a figure of `WIDTH` x `height` inches with its title alone; draw and save it inside the block.

    matplotlib's settings are global to the process, so one figure is drawn at a time; they are restored
    afterwards. A user's own matplotlibrc has no effect.
    """
    with _DRAWING, matplotlib.style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, height), dpi=PNG_DOTS_PER_INCH, layout="constrained")
        figure.suptitle(textwrap.fill(title, _TITLE_LETTERS), x=0.01, ha="left")
        yield figure


def drawable(text: str, otherwise: str) -> str:
    """Return a text if the figures' font has all its letters, else the other, which a caption explains."""
    font = get_font(findfont(_FONT))
    has_all = all(each.isspace() or font.get_char_index(ord(each)) for each in text)
    return text if has_all else otherwise


_MOST_TICKS = 5
"""Labels of a log axis that fit side by side."""


def show_log(axes: Axes, name: Literal["x", "y"], values: Values) -> None:
    """Scale an axis logarithmically with room around the values; label at least two round ones."""
    low, high = float(values.min()), float(values.max())
    margin = max(1.1, (high / low) ** 0.05, 1.3 if high / low < 1.3 else 0)
    low, high = low / margin, high * margin
    choices: list[Locator] = [LogLocator(subs=(1.0,)), LogLocator(subs=(1.0, 3.0)), MaxNLocator(4)]
    places: list[float] = []
    for locator in choices:
        places = [place for place in locator.tick_values(low, high) if low <= place <= high]
        if 2 <= len(places) <= _MOST_TICKS:
            break
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
    axis: Axis = getattr(axes, f"{name}axis")
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())


def place_legend(figure: Figure, columns: int = 1, last: str = "") -> None:
    """Explain every label once, under the axes, where it hides nothing; a label may have to come last."""
    entries = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    labels = sorted(entries, key=lambda label: label == last)
    if labels:
        handles = [entries[label] for label in labels]
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def save(
    figure: Figure, folder: Path, name: str, *, exercise: int, title: str, caption: str, alt: str
) -> DrawnFigure:
    """Write `name.png` and `name.svg`, each atomically, and return them with their words.

    Raises:
        OSError: the folder cannot be written to.
    """
    # Not by `savefig`, which draws each file twice: the first time only to find the layout.
    png = _draw_png(figure)
    figure.set_layout_engine("none")  # the layout is known by now, and costs a third of drawing
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


Spacing = Literal["log", "linear", "categories", "names"]

_SPACING_WORDS = {
    "log": ", log scale",
    "linear": "",
    "categories": ", in equal steps",
    "names": "",
}
"""What an axis label says of the spacing."""

_MOST_LETTERS = 36
"""Letters of tick labels, as long as the longest, that fit side by side; more are turned."""

_SPACINGS: dict[str, Spacing] = {
    "learning_rate": "log",
    "dropout": "linear",
    "momentum": "linear",
    "averaging": "linear",
}
# A parameter's name in titles and captions, and its axis label with the unit.
_WORDS: dict[str, tuple[str, str]] = {
    "filters": ("number of filters", "Filters"),
    "kernel_size": ("kernel size", "Side of the kernel (pixels)"),
    "dense_units": ("number of dense units", "Dense units"),
    "dropout": ("dropout rate", "Dropout rate (fraction of units)"),
    "learning_rate": ("learning rate", "Learning rate"),
    "momentum": ("momentum", "Momentum"),
    "batch_size": ("batch size", "Batch size (images)"),
    "weight_decay": ("weight decay", "Weight decay"),
    "averaging": ("decay of averaging", "Decay of averaging (an epoch)"),
    "epochs": ("number of epochs", "Epochs"),
    "patience": ("patience", "Patience (epochs)"),
}


@dataclass(frozen=True)
class ParameterAxis:
    """A horizontal axis: the learning rate on a log scale, fractions to scale, others as categories."""

    spacing: Spacing
    values: tuple[float, ...]
    noun: str
    label: str
    names: tuple[str, ...]
    """What is written at each value."""

    def name(self, value: float) -> str:
        """Return what is written at a value."""
        return self.names[self.values.index(value)]

    def place(self, value: float, beside: float = 0.0) -> float:
        """Return a value's place in data coordinates, moved by `beside` of the least distance of values."""
        place = self._position(value) + beside * self._least_distance
        return 10**place if self.spacing == "log" else place

    def show(self, axes: Axes, notes: Sequence[str]) -> None:
        """Set scale, limits, ticks and label of the x axis; each value has a note, or an empty one."""
        if self.spacing == "log":
            axes.set_xscale("log")
        axes.set_xlim(self.place(self.values[0], -0.55), self.place(self.values[-1], 0.55))
        lines = [f"{name}\n{note}".rstrip() for name, note in zip(self.names, notes, strict=True)]
        is_turned = len(lines) * max(map(len, self.names)) > _MOST_LETTERS
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(FixedLocator([self.place(value) for value in self.values]))
        axes.set_xticklabels(lines, rotation=90 if is_turned else 0)
        axes.set_xlabel(f"{self.label}{_SPACING_WORDS[self.spacing]}")

    @property
    def _least_distance(self) -> float:
        positions = [self._position(value) for value in self.values]
        return min((high - low for low, high in pairwise(positions)), default=1.0)

    def _position(self, value: float) -> float:
        if self.spacing in ("categories", "names"):
            return float(self.values.index(value))
        return math.log10(value) if self.spacing == "log" else value


def parameter_noun(parameter: str) -> str:
    """Return a parameter's name for titles and captions; other words stay."""
    return _WORDS.get(parameter, (parameter.replace("_", " "), ""))[0]


def parameter_label(parameter: str) -> str:
    """Return a parameter's name for an axis, with the unit."""
    return _WORDS.get(parameter, ("", parameter.replace("_", " ").capitalize()))[1]


def parameter_axis(exercise: SweepExercise) -> ParameterAxis:
    """Return the axis of an exercise: numbers rising, words and combinations in the order of the study."""
    spacing = _SPACINGS.get(exercise.varies, "categories") if exercise.is_ordered else "names"
    levels = tuple(sorted(exercise.levels))
    names = tuple(map(exercise.label, levels))
    noun = listing([parameter_noun(each) for each in exercise.varied])
    label, *others = map(parameter_label, exercise.varied)
    label += "".join(f", {each[0].lower()}{each[1:]}" for each in others)
    return ParameterAxis(spacing, levels, noun, label, names)
