"""Format numbers and parameters for sentences and tables: one format each, everywhere."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np

MISSING = "–"
"""The sign for a missing number."""

_PHRASES = {
    "filters": "{} filters",
    "dense_units": "{} units",
    "epochs": "{} epochs",
    "learning_rate": "learning rate {}",
    "dropout": "dropout {}",
    "batch_size": "batches of {}",
    "kernel_size": "kernel {0} x {0}",
    "averaging": "averaging {}",
    "weight_decay": "weight decay {}",
}


OPTIMIZERS = {
    "sgd": "SGD with momentum {}",
    "adam": "Adam with beta_1 {}",
    "adamw": "AdamW with beta_1 {}",
    "rmsprop": "RMSprop with momentum {}",
}
"""The name of each optimizer, with its momentum."""


def plain(value: float | str | bool | None) -> str:
    """Format a parameter's value without an exponent: 1e-05 reads "0.00001", 64.0 "64"; a name stays."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(np.format_float_positional(value, trim="-"))


def phrase(parameter: str, value: float | str | bool | None) -> str:
    """Name a setting for a sentence: "64 filters", "learning rate 0.01"."""
    if parameter == "epochs" and value == 1:
        return "1 epoch"
    return _PHRASES.get(parameter, f"{parameter} {{}}").format(plain(value))


def name_setting(values: Mapping[str, float | str | bool | None]) -> str:
    """Name a setting for the tables by what it changes: "filters=64", "width=8, depth=2"."""
    return ", ".join(f"{name}={plain(value)}" for name, value in values.items())


def percent(fraction: float | None, sign: bool = True) -> str:
    """Format a fraction in percent, two decimals; a dash for none."""
    if fraction is None or math.isnan(fraction):
        return MISSING
    return f"{_hundredths(fraction):.2f}{'%' if sign else ''}"


def interval(low: float | None, high: float | None) -> str:
    """Format an interval of accuracies (fractions) in percent; a dash for none.

    For few readings far apart it would go below 0 or above 100%; we cut it there.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return MISSING
    return f"{percent(max(low, 0.0), sign=False)} to {percent(min(high, 1.0), sign=False)}"


def points(fraction: float | None) -> str:
    """Format a difference of fractions in percentage points, with its sign; a dash for none."""
    if fraction is None or math.isnan(fraction):
        return MISSING
    rounded = round(_hundredths(fraction), 2) + 0.0  # no negative zero
    return f"{rounded:+.2f}".replace("-", "−")


def points_interval(low: float | None, high: float | None) -> str:
    """Format an interval of a difference in percentage points; a dash for none."""
    return MISSING if low is None or math.isnan(low) else f"{points(low)} to {points(high)}"


def _hundredths(fraction: float) -> float:
    """Return a fraction in percent without the last bits, which two ways to take one mean do not share."""
    return round(100 * fraction, 6)


def probability(value: float) -> str:
    """Format a p value to follow "p": three decimals, "below 0.001" under that; a dash for none."""
    if math.isnan(value):
        return MISSING
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number and its noun: "1 trial", "2 trials", "60,000 images"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Format seconds as "4.2 s", "3 min 05 s" or "1 h 02 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def time_range(low: float, high: float) -> str:
    """Format a range of seconds in the unit of its upper end: "9 to 15 min"."""
    if high < 90:
        return f"{low:.0f} to {high:.0f} s"
    if high < 5400:
        return f"{low / 60:.0f} to {high / 60:.0f} min"
    return f"{low / 3600:.1f} to {high / 3600:.1f} h"


def taken_for(true_class: str, predicted_class: str, images: int, of: int) -> str:
    """Say how often one class was taken for another: "Shirt taken for T-shirt/top: 105 of 1,000"."""
    return f"{true_class} taken for {predicted_class}: {images:,} of {of:,}"


def listing(words: Sequence[str]) -> str:
    """Join words as in a sentence: "16, 32 and 128"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def shown(value: object) -> str:
    """Format a value as a person gave it, for a message; of a very long one, the beginning."""
    try:
        return shortened(repr(value), 200)
    except ValueError:  # an integer with more digits than Python writes out
        return "a number too long to show"


def shortened(text: str, most: int) -> str:
    """Return a text on one line, cut off after a number of characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


_UNSHOWN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
"""Controls of a terminal, line ends, changes of the writing direction and halves of characters."""


def printable(text: str) -> str:
    r"""Return a message in which controls of a terminal and the like are escaped, as `\x1b`; lines stay."""
    return "\n".join(map(_escape, text.split("\n")))


def shown_path(path: PurePath | str) -> str:
    r"""Return a path on one line: bytes that are not UTF-8 and controls are escaped, as `\xef` and `\n`.

    A path that a spreadsheet would take for a formula begins with `./`.
    """
    shown = _escape(os.fsencode(path).decode("utf-8", "backslashreplace"))
    return f"./{shown}" if shown.startswith(tuple("=+-@")) else shown


def _escape(text: str) -> str:
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
