"""Answer a sweep in words: how accuracy changes, which value is best, when trainings converge."""

from collections.abc import Iterable, Sequence
from itertools import chain
from statistics import fmean

from study.conclusions.answers import Answer, describe_failed
from study.conclusions.factors import describe_factors
from study.records import CONVERGENCE_PATIENCE, Curve, Measured, Sweep, Times
from study.spec import Setting, SweepExercise
from study.statistics import (
    POWER,
    SIGNIFICANCE,
    Difference,
    Pairwise,
    Trend,
    compare_pairs,
    compare_times,
    contrast,
    find_trend,
    median_time,
    summarise,
    turning_point,
)
from study.wording import (
    count,
    duration,
    interval,
    listing,
    percent,
    plain,
    points,
    points_interval,
    probability,
)

LEVEL = 0.8
"""Accuracy levels off no earlier than where this part of its rise is reached: that no test finds a difference
is not enough with few repeats."""

_MOST_NAMED = 3
"""The most combinations that a sentence names; the table has them all."""

OVERFITS = 1.01
"""A last validation loss of this many times the lowest is mentioned: less is noise of the curve."""


def answer_sweep(exercise: SweepExercise, baseline: Setting, found: Measured) -> Answer:
    """Say how accuracy changes over the values, which is best, and when trainings converge.

    Budgets of epochs are compared by seed where a shorter one reads the beginning of the same training.

    Args:
        exercise: The sweep.
        baseline: The setting that its settings change.
        found: What was measured.
    """
    readings = found.readings
    measured = {value: readings[value] for value in sorted(readings) if readings[value].test}
    if not measured:
        return Answer("No conclusion: every trial failed.")
    best = max(measured, key=lambda value: measured[value].mean)
    collapses = _collapses(exercise, measured)
    warnings = (*describe_failed({exercise.phrase(value): each.failed for value, each in readings.items()}),)
    repeated = {value: each for value, each in measured.items() if len(each.test) > 1}
    convergence = _converge(exercise, baseline, found)
    if len(measured) == 1:
        only = f"{_mean(exercise, measured, best)}, the only {exercise.noun} measured."
        return Answer(" ".join((only, *collapses, *convergence)), warnings)
    if best not in repeated or len(repeated) == 1:
        highest = _mean(exercise, measured, best)
        alone = f"The highest is {highest}, but a single repeat supports no conclusion."
        return Answer(" ".join((alone, *collapses, *convergence)), warnings)
    is_paired = exercise.reads_prefixes(baseline)
    tests = {value: each.test for value, each in repeated.items()}
    pairwise = compare_pairs(tests, is_paired)
    sound = {value: each for value, each in repeated.items() if not each.collapsed}
    if len(sound) < 2 or pairwise.reference not in sound:
        sound = repeated
    is_tested = exercise.is_ordered and len(sound) > 2
    trend = find_trend([tests[value] for value in sound], is_paired) if is_tested else None
    factors = describe_factors(exercise, sound)
    slowed = _slowed(exercise, found)
    words = [
        f"{_shape(exercise, sound, pairwise, trend)}.",
        _best(exercise, sound, pairwise),
        *factors.headline,
        *collapses,
        *_contrasts(exercise, found.readings),
        *(slowed or convergence),
    ]
    left_out = [value for value in readings if value not in repeated]
    return Answer(
        " ".join(words),
        (
            *factors.details,
            *_trend(list(sound), trend, pairwise),
            *_left_out(list(map(exercise.label, left_out))),
            *warnings,
        ),
        (*_power(repeated, pairwise), *factors.limits),
    )


def _mean(exercise: SweepExercise, measured: Sweep, value: float) -> str:
    spread = summarise(list(measured[value].test.values()))
    within = f", 95% interval {interval(spread.low, spread.high)}" if spread.has_interval else ""
    return f"{percent(spread.mean)} with {exercise.phrase(value)} (n={spread.count}{within})"


def _shape(exercise: SweepExercise, measured: Sweep, pairwise: Pairwise, trend: Trend | None) -> str:
    """Say from where to where accuracy goes, and where numbers level off or turn; values are in order."""
    values = list(measured)
    first, *_, last = values
    top = max(values, key=lambda value: measured[value].mean)
    lower = pairwise.lower_than(pairwise.reference)
    bottom = min(values, key=lambda value: measured[value].mean)
    start, peak, end, least = (_at(exercise, measured, value) for value in (first, top, last, bottom))
    ends = {first, last} & set(lower) if exercise.is_ordered else set[float]()
    if top not in (first, last) and ends == {first, last}:
        return f"Accuracy rises from {start} to {peak} and falls to {end}"
    if first in ends and last not in ends:
        return f"Accuracy rises from {start} to {peak}{_levels(exercise, measured, lower, top)}"
    if last in ends and first not in ends:
        return f"Accuracy falls from {peak} to {end}"
    if not lower and trend is not None and trend.is_seen:
        verb = "rise" if trend.rising else "fall"
        return f"Accuracy tends to {verb}, from {start} to {end}"
    if measured[top].mean == measured[bottom].mean:
        return f"No change: every mean is {100 * measured[top].mean:.1f}%"
    if not any(each.differs for each in pairwise.tests):
        return f"No certain change: the means lie between {least} and {peak}"
    return f"Accuracy is highest, {peak}, and lowest, {least}"


def _levels(exercise: SweepExercise, measured: Sweep, lower: Sequence[float], top: float) -> str:
    """Say where accuracy levels off: where four fifths of the rise are reached, and nothing differs."""
    values = list(measured)
    first, last = values[0], values[-1]
    enough = measured[first].mean + LEVEL * (measured[top].mean - measured[first].mean)
    below = {value for value in values if value in lower or measured[value].mean < enough}
    flat = [value for place, value in enumerate(values) if not set(values[place:]) & below]
    if top != last:
        return f" and then no further ({_at(exercise, measured, last)})"
    return f"; from {exercise.label(flat[0])} on it levels off" if len(flat) > 1 else ""


def _at(exercise: SweepExercise, measured: Sweep, value: float) -> str:
    is_combination = len(exercise.levels[value]) > 1  # of which the values alone say too little
    name = exercise.phrase(value) if is_combination else exercise.label(value)
    return f"{100 * measured[value].mean:.1f}% ({name})"


def _best(exercise: SweepExercise, measured: Sweep, pairwise: Pairwise) -> str:
    """Say which setting is best, and which do not differ significantly from it, or from the longest."""
    best = max(measured, key=lambda value: measured[value].mean)
    reference = pairwise.reference
    tests = {value: pairwise.of(value, reference) for value in measured if value != reference}
    same = [exercise.label(value) for value, each in tests.items() if not each.differs]
    than = "it" if best == reference else exercise.phrase(reference)
    without = _without(measured, pairwise)
    all_lower = all(each.difference > 0 for each in tests.values())
    others = (
        f"every other {exercise.noun}{without} is {'lower than' if all_lower else 'different from'} {than}"
        if not same
        else f"no other {exercise.noun}{without} differs significantly from {than}"
        if len(same) == len(tests)
        else f"{len(same)} of the other {len(tests)} do not differ significantly from {than}"
        if len(same) > _MOST_NAMED and exercise.noun == "combination"
        else f"{_several(same)} {'does' if len(same) == 1 else 'do'} not differ significantly from {than}"
    )
    return f"Best is {_mean(exercise, measured, best)}; {others}."


def _contrasts(exercise: SweepExercise, readings: Sweep) -> tuple[str, ...]:
    """Compare the control with all others together, and with each that was planned."""
    control = exercise.control_level
    others = {
        value: list(each.test.values())
        for value, each in readings.items()
        if value != control and len(each.test) > 1
    }
    if control is None or not others or control not in readings or len(readings[control].test) < 2:
        return ()
    without = list(readings[control].test.values())
    words = [_contrast("on average", contrast(list(others.values()), without))]
    words += [
        _contrast(f"with {exercise.label(value)}", contrast([others[value]], without))
        for value in exercise.planned_levels
        if value in others
    ]
    noun, none = exercise.varies.replace("_", " "), exercise.phrase(control)
    change = f"{noun} changes" if exercise.is_ordered else "the others change"
    return (f"Against {none}, {change} accuracy by {listing(words)}.",)


def _contrast(when: str, found: Difference) -> str:
    within = points_interval(*found.interval())
    return f"{points(found.difference)} points {when} (95% interval {within})"


_TIMES = ("epochs", "open_epochs", "seconds", "open_seconds")


def _slowed(exercise: SweepExercise, found: Measured) -> tuple[str, ...]:
    """Compare the epochs to convergence without and with, by the log-rank test, if a number is control."""
    if exercise.control_level is None or not exercise.is_ordered:
        return ()
    without = found.times.get(exercise.control_level, Times())
    others = [each for value, each in found.times.items() if value != exercise.control_level]
    together = Times(
        **{name: tuple(chain.from_iterable(getattr(each, name) for each in others)) for name in _TIMES}
    )
    if not without.epochs or not together.epochs:
        return ()
    p_value = compare_times((without.epochs, without.open_epochs), (together.epochs, together.open_epochs))
    before, after = (median_time(each.epochs, each.open_epochs) for each in (without, together))
    if before is None or after is None:
        return ()
    verb = "takes longer" if after > before else "takes less"
    trials, open_ones = without.trials + together.trials, len(without.open_epochs + together.open_epochs)
    unended = f" {open_ones} of {count(trials, 'trial')} did not converge." if open_ones else ""
    change = (
        f"Convergence {verb} with it"
        if p_value <= SIGNIFICANCE
        else "It does not certainly change convergence"
    )
    return (
        f"{change}: a median of {_median(together)} with, {_median(without)} without "
        f"(log-rank p {probability(p_value)}).{unended}",
    )


def _median(times: Times) -> str:
    """Return the median of epochs and seconds in words; empty if fewer than half have converged."""
    epochs = median_time(times.epochs, times.open_epochs)
    if epochs is None:
        return ""
    seconds = median_time(times.seconds, times.open_seconds)
    after = "" if seconds is None else f" ({duration(seconds)})"
    return f"{count_epochs(epochs)}{after}"


def _converge(exercise: SweepExercise, baseline: Setting, found: Measured) -> tuple[str, ...]:
    """Say after how many epochs trainings converged, and whether they overfit."""
    times = {value: each for value, each in sorted(found.times.items()) if each.trials}
    is_budget = exercise.varied == ("epochs",)
    if is_budget and times:
        times = dict([max(times.items())])  # shorter budgets read the same trainings
    trials = sum(each.trials for each in times.values())
    reached = sum(len(each.epochs) for each in times.values())
    if not trials:
        return ()
    overfits = describe_overfitting(found.curve) if is_budget else ()
    if not reached:
        longest = max(each.epochs for each in exercise.settings(baseline).values())
        why = f"each of {count(trials, 'trial')} still improved in its last {CONVERGENCE_PATIENCE}"
        if longest <= CONVERGENCE_PATIENCE:
            why = f"to see that takes {CONVERGENCE_PATIENCE + 1} at least"
        return (f"No trial converged within {count_epochs(longest)}: {why}.", *overfits)
    medians = {value: words for value, each in times.items() if (words := _median(each))}
    open_ones = trials - reached
    others = f"{open_ones} of {count(trials, 'trial')} did not converge"
    if not medians:
        return (f"{others[0].upper()}{others[1:]}.", *overfits)
    each = _several([f"{median} with {exercise.label(value)}" for value, median in medians.items()])
    return (f"Median time to convergence: {each}{f'; {others}' if open_ones else ''}.", *overfits)


def describe_overfitting(curve: Curve | None) -> tuple[str, ...]:
    """Say where validation loss is lowest, if it rises afterwards."""
    if curve is None:
        return ()
    lowest = min(curve.losses)
    if curve.losses[-1] < OVERFITS * lowest:
        return ()
    epochs = count_epochs(curve.losses.index(lowest) + 1)
    return (
        f"Validation loss is lowest after {epochs} ({lowest:.2f}) and rises to {curve.losses[-1]:.2f} after "
        f"{len(curve.losses)}, while training accuracy reaches {percent(curve.train_accuracy)}: the network "
        "overfits.",
    )


def _without(values: Iterable[float], pairwise: Pairwise) -> str:
    """Say that settings with collapsed trials are left out, if they are."""
    return "" if set(pairwise.settings) <= set(values) else " without a collapse"


def _trend(values: Sequence[float], trend: Trend | None, pairwise: Pairwise) -> tuple[str, ...]:
    """Name the test of all values in their order at once, unless accuracy turns."""
    if trend is None or (trend.is_seen and turning_point(values, trend, pairwise) is not None):
        return ()
    without = _without(values, pairwise)
    seen = ("rises" if trend.rising else "falls") if trend.is_seen else "neither rises nor falls certainly"
    return (
        f"Over all values{without} in order, accuracy {seen} ({trend.name} "
        f"{plain(round(trend.statistic, 2))}, p {probability(trend.p_value)}).",
    )


def _left_out(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"Not compared, having fewer than two completed repeats: {_several(names)}.",)


def _several(names: Sequence[str]) -> str:
    """List settings; those of several values, as "8, 1", apart from each other by a semicolon."""
    return "; ".join(names) if any(", " in each for each in names) else listing(names)


def _power(measured: Sweep, pairwise: Pairwise) -> tuple[str, ...]:
    """Say which differences these repeats would usually miss."""
    # A collapse causes a spread that does not describe the other readings.
    others = [value for value in measured if value != pairwise.reference and not measured[value].collapsed]
    if pairwise.reference not in measured or measured[pairwise.reference].collapsed:
        return ()
    tests = [pairwise.of(value, pairwise.reference) for value in others]
    detectable = sorted(each.detectable for each in tests if each.detectable > 0)
    if not detectable:
        return ()
    middle = detectable[len(detectable) // 2]
    return (
        f"With {_repeats(measured)}, a difference from the best below about {100 * middle:.1f} points is "
        f"missed in more than one study of {round(1 / (1 - POWER))}.",
    )


def _collapses(exercise: SweepExercise, measured: Sweep) -> tuple[str, ...]:
    """Name the settings with collapsed trials, whose means say little, and the mean of their other trials."""
    words = []
    for value, each in measured.items():
        if each.collapsed:
            learned = [accuracy for accuracy in each.test.values() if accuracy > each.collapse_at]
            rest = f"; the mean of the others is {percent(fmean(learned))}" if learned else ""
            words.append(
                f"With {exercise.phrase(value)}, {each.collapsed} of {count(len(each.test), 'trial')} "
                f"collapsed ({each.collapse_at:.0%} or less, near guessing){rest}."
            )
    return tuple(words)


def _repeats(measured: Sweep) -> str:
    fewest = min(len(each.test) for each in measured.values())
    most = max(len(each.test) for each in measured.values())
    return f"{fewest} repeats" if fewest == most else f"{fewest} to {most} repeats"


def count_epochs(epochs: float) -> str:
    """Format a number of epochs, which may be a half one: "1 epoch", "8.5 epochs"."""
    return f"{epochs:g} {'epoch' if epochs == 1 else 'epochs'}"
