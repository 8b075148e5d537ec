"""A study small enough for a test: every kind of exercise, on a few hundred real images."""

from pathlib import Path

TOY = """
name: toy
title: A toy study
data: {train_images: 640, test_images: 200}
baseline: {filters: 4, dense_units: 8, epochs: 1}
exercises:
  - {number: 1, kind: images, title: Images, question: What do the images look like?}
  - {number: 2, kind: sweep, title: Filters, question: How many filters?, parameter: filters, values: [2, 4],
     repeats: 2}
  - {number: 4, kind: sweep, title: Epochs, question: How many epochs?, parameter: epochs, values: [1, 3],
     repeats: 2}
  - {number: 6, kind: sweep, title: Dropout, question: Does dropout help?, parameter: dropout,
     values: [0.0, 0.3], repeats: 2, fixed: {epochs: 3, patience: 1}}
  - {number: 7, kind: optimum, title: Optimum, question: What is best?, combine: [2, 4, 6],
     candidates: {published: {filters: 3, learning_rate: 0.001}}}
  - {number: 8, kind: model, title: Model, question: Does the saved model work?}
"""


def write_toy(folder: Path, text: str = TOY) -> Path:
    """Write the toy study as a file and return its path."""
    path = folder / "toy.yaml"
    path.write_text(text, encoding="utf-8")
    return path
