"""The figures of the chosen model: learning curves, confusion matrix, and the images it confuses."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator

from storage.tables import EpochRow
from study.conclusions import ChosenModel
from study.wording import shortened
from tasks.figures.style import (
    BLUE,
    GREY,
    INK,
    VERMILLION,
    WHITE_FROM,
    DrawnFigure,
    new_figure,
    place_legend,
    save,
)

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


def draw_learning_curves(
    chosen: ChosenModel, epochs: Sequence[EpochRow], folder: Path, exercise: int
) -> DrawnFigure:
    """Draw loss and accuracy of the chosen model, epoch by epoch.

    Raises:
        OSError: the folder cannot be written to.
    """
    curves = epochs_of_model(chosen, epochs)
    best, last = lowest_loss_epoch(curves), curves[-1]
    title = "How did the final model learn?"
    caption = (
        "One training. Training values are means over the epoch, while the weights still change; validation "
        "values are taken after it."
    )
    alt = (
        f"Learning curves over {len(curves)} epochs. At the end: training loss {last.train_loss:.3f}, "
        f"validation loss {last.validation_loss:.3f}, training accuracy {last.train_accuracy:.1%}, "
        f"validation accuracy {last.validation_accuracy:.1%}. Lowest validation loss at epoch {best}."
    )
    with new_figure(title, 5.0) as figure:
        accuracy, loss = figure.subplots(2, 1, sharex=True)
        losses = [(each.train_loss, each.validation_loss) for each in curves]
        percents = [(100 * each.train_accuracy, 100 * each.validation_accuracy) for each in curves]
        _plot_curves(accuracy, percents, "Accuracy (%)", best)
        _plot_curves(loss, losses, "Loss (nats)", best)
        loss.set_xlabel("Epoch")
        place_legend(figure, columns=2)
        name = "learning-curves"
        return save(figure, folder, name, exercise=exercise, title=title, caption=caption, alt=alt)


def epochs_of_model(chosen: ChosenModel, epochs: Sequence[EpochRow]) -> list[EpochRow]:
    """Return the epochs the model was trained for; its training may have continued for another trial."""
    rows = [each for each in epochs if each.key == chosen.key and each.epoch <= chosen.epochs_run]
    return sorted(rows, key=lambda each: each.epoch)


def lowest_loss_epoch(curves: Sequence[EpochRow]) -> int:
    """Return the first epoch with the lowest validation loss."""
    return min(curves, key=lambda each: each.validation_loss).epoch


def row_shares(counts: Counts) -> Shares:
    """Return counts as fractions of their rows, `(classes, classes)`; zero in a row without images."""
    totals = counts.sum(axis=1, keepdims=True)
    shares: Shares = counts / np.maximum(totals, 1)
    return shares


def _plot_curves(axes: Axes, pairs: Sequence[tuple[float, float]], label: str, best: int) -> None:
    """Plot training and validation values, epoch by epoch."""
    epochs, every = range(1, len(pairs) + 1), max(1, len(pairs) // 20)
    for heights, name, style, colour in zip(
        zip(*pairs, strict=True), ("training", "validation"), ("o-", "s--"), (BLUE, VERMILLION), strict=True
    ):
        axes.plot(epochs, heights, style, color=colour, markersize=4.5, markevery=every, label=name)
    axes.axvline(best, color=GREY, linestyle=":", linewidth=1.5, label=f"lowest loss: epoch {best}")
    axes.set(ylabel=label, xlim=(0.5, len(pairs) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))


def draw_confusion(chosen: ChosenModel, folder: Path, exercise: int) -> DrawnFigure:
    """Draw the confusion matrix of the chosen model.

    Raises:
        OSError: the folder cannot be written to.
    """
    counts = np.array(chosen.confusion, dtype=np.int64)
    title = "Which classes does the final model confuse?"
    caption = (
        f"Test images (n = {counts.sum():,}) by true class (rows) and predicted class (columns). Shade: "
        "share of the row, on a square-root scale so that rare confusions show."
    )
    step = math.ceil(chosen.images.classes / MOST_NAMES)
    caption += f" One class in {step} is named." * (step > 1)
    names = [shortened(each, 14) for each in chosen.images.class_names]
    with new_figure(title, 4.4) as figure:
        axes = figure.add_subplot(xlabel="Predicted class", ylabel="True class")
        _plot_matrix(axes, counts, names)
        return save(
            figure, folder, "confusion-matrix", exercise=exercise, title=title, caption=caption,
            alt=_describe_confusion(counts, chosen.images.class_names),
        )  # fmt: skip


MOST_NUMBERS, MOST_NAMES = 15, 20
"""Classes up to which every cell has its number, and the most names along an axis."""

_SIDE = 190
"""Side of the matrix, in points, that names and numbers share if there are more than ten."""


def _plot_matrix(axes: Axes, counts: Counts, names: list[str]) -> None:
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    shares = 100 * row_shares(counts)
    axes.pcolormesh(shares, cmap="Blues", norm=norm, edgecolors="white", linewidth=min(1, 10 / len(counts)))
    every = slice(None, None, math.ceil(len(names) / MOST_NAMES))
    places = (np.arange(len(counts)) + 0.5)[every]
    size = None if len(names) <= 10 else min(_SIDE / len(places), 9.0)
    axes.set_xticks(places, names[every], rotation=60, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(places, names[every], fontsize=size)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (row, column), count in np.ndenumerate(counts) if len(counts) <= MOST_NUMBERS else ():
        colour = "white" if norm(shares[row, column]) >= WHITE_FROM else INK
        axes.text(column + 0.5, row + 0.5, str(count), ha="center", va="center", color=colour, fontsize=size)


def _describe_confusion(counts: Counts, names: Sequence[str]) -> str:
    wrong = counts - np.diag(np.diag(counts))
    true, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    accuracy = np.trace(counts) / max(int(counts.sum()), 1)
    classes = "ten" if len(names) == 10 else str(len(names))
    text = (
        f"Confusion matrix of the {classes} classes; {accuracy:.1%} of the test images lie on the diagonal."
    )
    if not wrong.any():
        return text
    pair = f"{names[int(true)]} taken for {names[int(predicted)]}"
    return f"{text} Most frequent confusion: {wrong.max()} images of {pair}."
