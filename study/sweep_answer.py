"""The answer to a sweep: which values are best, what bears that out, and what these readings cannot say."""

from collections.abc import Sequence

from study.answers import Answer, describe_failed
from study.exercises import SweepExercise
from study.readings import COLLAPSED, Sweep
from study.setting import Setting
from study.statistics.difference import SIGNIFICANCE
from study.statistics.pairwise import PairTest, Pairwise, compare_pairs, indistinguishable_from_best
from study.statistics.power import POWER, repeats_to_reach
from study.statistics.sampling_error import sampling_error
from study.statistics.spread import summarise
from study.statistics.trend import find_trend
from study.wording import count, interval, listing, percent, phrase, plain, points, probability


def answer_sweep(exercise: SweepExercise, baseline: Setting, readings: Sweep, test_images: int) -> Answer:
    """Say which value has the highest mean test accuracy, and which others cannot be told from it.

    Budgets of epochs are compared pairwise by seed where a shorter one reads the beginning of the same
    training.

    Args:
        exercise: The sweep.
        baseline: What its settings are changes to.
        readings: What was read with each value.
        test_images: How many images each accuracy was read on.
    """
    measured = {value: each for value, each in readings.items() if each.test}
    if not measured:
        return Answer("No conclusion: every trial failed.")
    best = max(measured, key=lambda value: measured[value].mean)
    most = _most(exercise.parameter, measured, best)
    warnings = (*_collapses(exercise.parameter, measured), *describe_failed(exercise.parameter, readings))
    repeated = {value: each for value, each in measured.items() if len(each.test) > 1}
    if len(measured) == 1:
        return Answer(f"{most}, the only value measured: there is nothing to compare it with.", warnings)
    if best not in repeated or len(repeated) == 1:
        return Answer(f"{most}, but a single repeat bears no conclusion.", warnings)
    is_paired = exercise.reads_prefixes(baseline)
    pairwise = compare_pairs({value: each.test for value, each in repeated.items()}, is_paired)
    left_out = [value for value in readings if value not in repeated]
    return Answer(
        f"{most}{_verdict(repeated, pairwise, bool(left_out))}.",
        (
            _method(pairwise),
            *_trend(exercise.parameter, repeated, is_paired),
            *_left_out(left_out),
            *warnings,
        ),
        (
            *_power(exercise.parameter, repeated, pairwise),
            *_permutation(pairwise),
            _sampling(measured[best].mean, test_images),
        ),
    )


def _most(parameter: str, measured: Sweep, best: float) -> str:
    test = list(measured[best].test.values())
    spread = summarise(test)
    within = f"; 95% interval {interval(spread.low, spread.high)}" if len(test) > 1 else ""
    return (
        f"The highest mean accuracy, {percent(spread.mean)} (n={len(test)}{within}), "
        f"is with {phrase(parameter, best)}"
    )


def _verdict(measured: Sweep, pairwise: Pairwise, incomplete: bool) -> str:
    best, *equals = indistinguishable_from_best({v: each.test for v, each in measured.items()}, pairwise)
    others = [value for value in measured if value != best]
    lower = [plain(value) for value in others if value not in equals]
    compared = "value that was compared" if incomplete else "value"
    if not equals:
        return f", and {'every' if len(others) > 1 else 'the'} other {compared} is lower"
    if not lower:
        any_ = "any" if len(others) > 1 else "the"
        return f", but {_repeats(measured)} cannot tell it from {any_} other {compared}"
    are = "is" if len(lower) == 1 else "are"
    kept = [plain(value) for value in others if value in equals]
    return f"; {listing(kept)} cannot be told from it, {listing(lower)} {are} lower"


def _method(pairwise: Pairwise) -> str:
    paired = pairwise.test == "paired t"
    test = "a paired t test over equal seeds" if paired else "Welch's t test"
    why = ", because fewer epochs are the beginning of the same training" if paired else ""
    pairs = f" with Holm's correction over {len(pairwise.tests)} pairs" if len(pairwise.tests) > 1 else ""
    return f"Compared by {test} at the {SIGNIFICANCE:.0%} level{pairs}{why}."


def _trend(parameter: str, measured: Sweep, is_paired: bool) -> tuple[str, ...]:
    """One test for all values in their order, which sees what no single pair may show."""
    if len(measured) < 3:
        return ()
    trend = find_trend([measured[value].test for value in sorted(measured)], is_paired)
    bears = f"({trend.name} {plain(round(trend.statistic, 2))}, p {probability(trend.p_value)})"
    noun = parameter.replace("_", " ")
    if not trend.is_seen:
        return (f"Over all values in order, no trend is seen {bears}.",)
    return (
        f"Over all values in order, accuracy {'rises' if trend.rising else 'falls'} with {noun} {bears}.",
    )


def _left_out(values: Sequence[float]) -> tuple[str, ...]:
    if not values:
        return ()
    named = listing([plain(value) for value in values])
    return (f"Not compared, having fewer than two completed repeats: {named}.",)


def _power(parameter: str, measured: Sweep, pairwise: Pairwise) -> tuple[str, ...]:
    """What these repeats could have shown, and what the largest difference they did not show would take."""
    # A collapse makes a spread that says nothing of the other readings.
    unseen = [
        each
        for each in pairwise.tests
        if not each.differs and not measured[each.first].collapsed and not measured[each.second].collapsed
    ]
    detectable = [each.detectable for each in unseen if each.detectable > 0]
    if not detectable:
        return ()
    low, high = 100 * min(detectable), 100 * max(detectable)
    span = f"{high:.1f}" if high - low < 0.1 else f"{low:.1f} to {high:.1f}"
    return (
        f"What cannot be told apart need not be equal: with {_repeats(measured)} only differences from "
        f"{span} points on, by pair, are found {POWER:.0%} of the time.",
        _needed(parameter, max(unseen, key=lambda each: abs(each.difference))),
    )


def _needed(parameter: str, pair: PairTest) -> str:
    low, high = sorted((pair.first, pair.second))
    change = pair.difference if pair.first == low else -pair.difference
    between = f"from {phrase(parameter, low)} to {plain(high)}"
    observed = f"The largest difference that was not found, {points(change)} points {between}"
    if pair.needed is None:
        return f"{observed}, is too small for any number of repeats."
    return f"{observed}, would need {pair.needed:,} repeats of each if it is real."


def _permutation(pairwise: Pairwise) -> tuple[str, ...]:
    """Say so where no test without assumptions could find any pair different."""
    smallest = min(each.smallest_p_value for each in pairwise.tests)
    if smallest <= pairwise.level:
        return ()
    number = min(each.repeats for each in pairwise.tests)
    enough = repeats_to_reach(pairwise.level, pairwise.test == "paired t")
    corrected = "after correction " if len(pairwise.tests) > 1 else ""
    return (
        f"With {count(number, 'repeat')} no pair can reach significance {corrected}by a test that assumes "
        f"nothing of how readings are spread: the smallest p value of a permutation test is {smallest:.2g}, "
        f"and {pairwise.level:.2g} is asked of the clearest of {count(len(pairwise.tests), 'pair')}. With "
        f"{enough} repeats it could; what is found different rests on a normal distribution of readings.",
    )


def _sampling(accuracy: float, images: int) -> str:
    return (
        f"All settings are read on the same {images:,} test images. On others an accuracy of "
        f"{percent(accuracy)} would move by about {100 * sampling_error(accuracy, images):.2f} points "
        "(standard error), mostly alike in all settings; the intervals are of seeds, and leave that out."
    )


def _collapses(parameter: str, measured: Sweep) -> tuple[str, ...]:
    return tuple(
        f"With {phrase(parameter, value)}, {each.collapsed} of {count(len(each.test), 'trial')} collapsed "
        f"(at most {percent(COLLAPSED)}; guessing scores {percent(COLLAPSED / 2)}), and the mean hides that."
        for value, each in measured.items()
        if each.collapsed
    )


def _repeats(measured: Sweep) -> str:
    fewest = min(len(each.test) for each in measured.values())
    most = max(len(each.test) for each in measured.values())
    return f"{fewest} repeats" if fewest == most else f"{fewest} to {most} repeats"
