"""Whether all contestants did the same work: their accuracies of the same settings lie near each other.

Contestants draw other weights and another order of the images, so readings differ by chance, and that
strongly: now and then every unit of the small dense layer dies and a training stays near 10%, and after one
epoch, or at learning rate 0.00001, readings spread by some ten points. So of each run two things are asked:
its typical accuracy (the median of its longer trainings) is near the others', and most trials are near what
the others read for the same setting. The limits were
set after a first look at data: 4 points for the typical accuracy would have refused a KerasTuner run (79.9%
against 84.3%) in which nothing was wrong, so it is 6. In 3,000 comparisons of six runs drawn anew from what
six contestants read, that run among them, no typical accuracy was more than 4.9 points off, and never were
more than 4 trials far.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.comparison.contest import Entry
from benchmarks.comparison.workload import Setting

TYPICAL_TOLERANCE = 0.06
"""How far a run's typical accuracy may be from the median of all runs' (fraction)."""

TOLERANCE, MOST_FAR = 0.15, 4
"""How far a trial may be from the median of all readings of its setting; how many of a run may be farther."""

LONG_EPOCHS, STEADY_RATE = 5, 0.01
"""A longer training has at least so many epochs, at just this learning rate."""


def find_disagreements(entries: Iterable[Entry], settings: Sequence[Setting]) -> list[str]:
    """What is farther off than chance explains, one line each; runs that failed are left out."""
    done = [entry for entry in entries if entry.succeeded]
    readings: defaultdict[str, list[float]] = defaultdict(list)
    for entry in done:
        for answer in entry.answers:
            readings[answer.name].append(answer.accuracy)
    centres = {name: median(values) for name, values in readings.items()}
    long = [each.name for each in settings if _is_long(each)]
    typical = median([_typical(entry, long) for entry in done]) if done and long else 0.0
    return [line for entry in done for line in _judge(entry, centres, long, typical)]


def _judge(entry: Entry, centres: dict[str, float], long: Sequence[str], typical: float) -> list[str]:
    who = f"{entry.contestant.title}, round {entry.round}"
    lines = []
    if long and abs(_typical(entry, long) - typical) > TYPICAL_TOLERANCE:
        lines.append(
            f"{who}: its typical accuracy is {_typical(entry, long):.1%}, that of all is {typical:.1%}, "
            f"at most {TYPICAL_TOLERANCE:.0%} apart was expected"
        )
    far = sorted({each.name for each in entry.answers if abs(each.accuracy - centres[each.name]) > TOLERANCE})
    if len(far) > MOST_FAR:
        lines.append(
            f"{who}: {len(far)} settings ({', '.join(far)}) are more than {TOLERANCE:.0%} from what all "
            f"read, at most {MOST_FAR} were expected"
        )
    return lines


def _typical(entry: Entry, names: Sequence[str]) -> float:
    return median(each.accuracy for each in entry.answers if each.name in names)


def _is_long(setting: Setting) -> bool:
    return setting.epochs >= LONG_EPOCHS and setting.learning_rate == STEADY_RATE
