"""What trainings leave behind: files and bytes, by what is kept of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from study.cost import parameter_count
from study.plan import Training

RECORD_BYTES = 5_000
"""A record of ten epochs: 1.3 kB, and 0.4 kB for each; measured on trainings of `smoke`."""


@dataclass(frozen=True)
class Files:
    """Of a training, on average."""

    count: float
    size: float
    """Bytes."""


def count_files(trainings: Sequence[Training]) -> Files:
    """Files and bytes of a training on average, if none stops early.

    A record; weights after each epoch at which a trial ends; the optimizer's state, as large as the weights.
    Numbers have four bytes.
    """
    if not trainings:
        return Files(0.0, 0.0)
    kept = [len({rule.epochs for rule in each.rules}) for each in trainings]
    sizes = [
        RECORD_BYTES + 4 * parameter_count(each.hyperparameters) * (ends + 1)
        for each, ends in zip(trainings, kept, strict=True)
    ]
    return Files(mean(kept) + 2, mean(sizes))
