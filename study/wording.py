"""How numbers and parameters read in sentences and tables: one format each, everywhere."""

import math
from collections.abc import Sequence

import numpy as np

MISSING = "–"
"""Stands where there is no number."""

_PHRASES = {
    "filters": "{} filters",
    "dense_units": "{} units",
    "epochs": "{} epochs",
    "learning_rate": "learning rate {}",
    "dropout": "dropout {}",
    "batch_size": "batches of {}",
    "kernel_size": "kernel side {}",
    "averaging": "averaging {}",
}


def plain(value: float | str) -> str:
    """A parameter's value without an exponent: 1e-05 reads "0.00001", 64.0 reads "64"; a name stays."""
    if isinstance(value, str):
        return value
    return str(np.format_float_positional(value, trim="-"))


def phrase(parameter: str, value: float) -> str:
    """A setting as it reads in a sentence: "64 filters", "learning rate 0.01"."""
    if parameter == "epochs" and value == 1:
        return "1 epoch"
    return _PHRASES.get(parameter, f"{parameter} {{}}").format(plain(value))


def percent(fraction: float | None, sign: bool = True) -> str:
    """A fraction in percent, two decimals; a dash for none."""
    if fraction is None or math.isnan(fraction):
        return MISSING
    return f"{100 * fraction:.2f}{'%' if sign else ''}"


def interval(low: float | None, high: float | None) -> str:
    """An interval of accuracies (fractions) in percent; a dash for none.

    Of few readings that lie far apart it would go beyond what an accuracy can be, and ends there.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return MISSING
    return f"{percent(max(low, 0.0), sign=False)} to {percent(min(high, 1.0), sign=False)}"


def points(fraction: float | None) -> str:
    """A difference of fractions in percentage points, with its sign; a dash for none."""
    if fraction is None or math.isnan(fraction):
        return MISSING
    rounded = round(100 * fraction, 2) + 0.0  # no negative zero
    return f"{rounded:+.2f}".replace("-", "−")


def probability(value: float) -> str:
    """A p value as it reads after "p": three decimals, "below 0.001" under that; a dash for none."""
    if math.isnan(value):
        return MISSING
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: "1 trial", "2 trials", "60,000 images"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Seconds as "4.2 s", "3 min 05 s" or "1 h 02 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def taken_for(true_class: str, predicted_class: str, images: int, of: int) -> str:
    """How often one class was taken for another: "Shirt taken for T-shirt/top: 105 of 1,000"."""
    return f"{true_class} taken for {predicted_class}: {images:,} of {of:,}"


def listing(words: Sequence[str]) -> str:
    """Words joined as in a sentence: "16, 32 and 128"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def shown(value: object) -> str:
    """A value as a person gave it, for a message: of one that is very long, the beginning."""
    try:
        return shortened(repr(value), 200)
    except ValueError:  # a whole number of more digits than Python writes out
        return "a number too long to show"


def shortened(text: str, most: int) -> str:
    """A text on one line, cut off after so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def printable(text: str) -> str:
    """A message whose other characters, such as those that steer a terminal, are replaced; lines stay."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )
