"""Predictions for people and for programs: text, JSON, CSV, rows."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from study.fashion_mnist import CLASS_NAMES
from tasks.classify import Prediction, Unreadable

SURE = 0.6
"""Confidence from which a prediction counts as sure, unless asked otherwise."""

Row = dict[str, Any]


def describe_prediction(prediction: Prediction, sure: float = SURE, top: int = len(CLASS_NAMES)) -> str:
    """Lines for a terminal: the file and its class, then the likeliest classes by falling probability.

    Args:
        prediction: What the model says.
        sure: Confidence from which it counts as sure.
        top: How many classes to list.
    """
    doubt = "" if prediction.probability >= sure else f", but not sure: below {sure:.0%}"
    lines = [f"{prediction.path}: {prediction.class_name} ({prediction.class_index}){doubt}"]
    if prediction.inverted:
        lines.append(
            "  the background looked light, so the image was inverted (training images are light on black)"
        )
    ranked = sorted(zip(prediction.probabilities, CLASS_NAMES, strict=True), key=lambda pair: -pair[0])
    lines += [f"  {probability:6.1%}  {name}" for probability, name in ranked[:top]]
    return "\n".join(lines)


def row_of(found: Prediction | Unreadable, sure: float) -> Row:
    """A prediction as a row of `storage.predictions.PREDICTIONS`; of a file that cannot be read, why."""
    if isinstance(found, Unreadable):
        blank = ("class_index", "class_name", "probability", "sure", "inverted")
        each = [f"probability_{index}" for index in range(len(CLASS_NAMES))]
        return {"path": str(found.path), **dict.fromkeys((*blank, *each)), "error": found.reason}
    return {
        "path": str(found.path),
        "class_index": found.class_index,
        "class_name": found.class_name,
        "probability": found.probability,
        "sure": found.probability >= sure,
        "inverted": found.inverted,
        **{f"probability_{index}": value for index, value in enumerate(found.probabilities)},
        "error": None,
    }


def as_json(rows: Iterable[Row]) -> Iterator[str]:
    """One JSON list, a line a row, as they come."""
    before = "["
    for row in rows:
        yield f"{before}{json.dumps(row)}"
        before = ","
    yield "[]" if before == "[" else "]"


def as_csv(rows: Iterable[Row]) -> Iterator[str]:
    """CSV with a header, a line a row, as they come; nothing for null."""
    line: Callable[[Iterable[Any]], str] = _csv_line
    for number, row in enumerate(rows):
        if number == 0:
            yield line(row)
        yield line(row.values())


def _csv_line(cells: Iterable[Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(cells)
    return written.getvalue()
