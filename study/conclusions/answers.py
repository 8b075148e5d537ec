"""Answer each exercise in words, from the readings, and claim no more than they support."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from study.conclusions.chosen_model import ChosenModel
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.records import COLLAPSED, SettingReadings, Sweep
from study.spec import Setting, SweepExercise
from study.statistics import (
    POWER,
    SIGNIFICANCE,
    PairTest,
    Pairwise,
    compare_pairs,
    find_trend,
    indistinguishable_from_best,
    repeats_to_reach,
    sampling_error,
    summarise,
)
from study.wording import count, interval, listing, percent, phrase, plain, points, probability, taken_for


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise: a sentence that stands alone, its evidence and its limits."""

    headline: str
    details: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


def answer_images(drawn: bool) -> Answer:
    """Answer the exercise that draws the first nine images."""
    if not drawn:
        return Answer("The images were not drawn in this run.")
    return Answer(
        f"Each image is {IMAGE_SIDE} by {IMAGE_SIDE} grey pixels and shows one article of "
        f"{len(CLASS_NAMES)} classes; the first nine training images are drawn here."
    )


def answer_model(chosen: ChosenModel | None) -> Answer:
    """Say whether the saved model, loaded again, is the same model, and how it classifies the new image."""
    if chosen is None:
        return Answer("No model was saved in this run.")
    image = chosen.new_image
    probability = image.probabilities[CLASS_NAMES.index(image.predicted_class)]
    right = image.predicted_class == image.true_class
    classified = (
        f"test image {image.test_index} ({image.true_class}) is classified as {image.predicted_class} with "
        f"probability {probability:.4f}, which is {'right' if right else 'wrong'}"
    )
    if chosen.files_agree:
        headline = (
            f"Yes: loaded again, the model gives the same outputs on every test image, and {classified}."
        )
    else:
        headline = (
            f"Not the same model: loaded again, its outputs differ from those before saving; {classified}."
        )
    return Answer(headline, (_reloaded(chosen), *_confused(chosen.confusion), *_calibrated(chosen)))


def describe_failed(
    parameter: str, readings: Mapping[float, SettingReadings] | Mapping[str, SettingReadings]
) -> tuple[str, ...]:
    """Say how many trials failed, and with which values; nothing if none did."""
    failed = {value: each.failed for value, each in readings.items() if each.failed}
    if not failed:
        return ()
    where = [
        f"{number} with {value if isinstance(value, str) else phrase(parameter, value)}"
        for value, number in failed.items()
    ]
    total = sum(failed.values())
    verb = "is" if total == 1 else "are"
    return (f"{count(total, 'trial')} failed and {verb} left out: {listing(where)}.",)


def _reloaded(chosen: ChosenModel) -> str:
    before, after = percent(chosen.test_accuracy), percent(chosen.reloaded_test_accuracy)
    return f"Test accuracy is {before} before saving and {after} after loading."


def _calibrated(chosen: ChosenModel) -> tuple[str, ...]:
    found = chosen.calibration
    if found is None:
        return ()
    return (
        f"Its probabilities are {'too sure' if found.temperature > 1 else 'not sure enough'}: softened by a "
        f"temperature of {found.temperature:.2f} (fitted on {found.fitted_on}), as study predict does, their "
        f"expected calibration error on the test images is {percent(found.error_after)} instead of "
        f"{percent(found.error_before)}.",
    )


def _confused(confusion: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """Name the commonest mistake, if there is one."""
    counts = np.array(confusion)
    of_class = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    true, predicted = np.unravel_index(int(counts.argmax()), counts.shape)
    if counts[true, predicted] == 0:
        return ()
    words = taken_for(CLASS_NAMES[true], CLASS_NAMES[predicted], counts[true, predicted], of_class[true])
    return (f"Its commonest mistake is {words}.",)


def answer_sweep(exercise: SweepExercise, baseline: Setting, readings: Sweep, test_images: int) -> Answer:
    """Say which value has the highest mean test accuracy, and which others do not differ significantly.

    Budgets of epochs are compared pairwise by seed where a shorter one reads the beginning of the same
    training.

    Args:
        exercise: The sweep.
        baseline: The setting that its settings change.
        readings: The readings of each value.
        test_images: The number of images on which each accuracy was read.
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
        return Answer(f"{most}, but a single repeat supports no conclusion.", warnings)
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
        return f", but {_repeats(measured)} show no significant difference from {any_} other {compared}"
    kept = [plain(value) for value in others if value in equals]
    return f"; not significantly different: {listing(kept)}; lower: {listing(lower)}"


def _method(pairwise: Pairwise) -> str:
    paired = pairwise.test == "paired t"
    test = "a paired t test over equal seeds" if paired else "Welch's t test"
    why = ", because fewer epochs are the beginning of the same training" if paired else ""
    pairs = f" with Holm's correction over {len(pairwise.tests)} pairs" if len(pairwise.tests) > 1 else ""
    return f"Compared by {test} at the {SIGNIFICANCE:.0%} level{pairs}{why}."


def _trend(parameter: str, measured: Sweep, is_paired: bool) -> tuple[str, ...]:
    """Test all values in their order at once; this may find a trend that no single pair shows."""
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
    """Say which differences these repeats could find, and how many repeats the largest other one needs."""
    # A collapse causes a spread that does not describe the other readings.
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
        f"Values that do not differ significantly need not be equal: with {_repeats(measured)} only "
        f"differences of at least {span} points, depending on the pair, are found {POWER:.0%} of the time.",
        _needed(parameter, max(unseen, key=lambda each: abs(each.difference))),
    )


def _needed(parameter: str, pair: PairTest) -> str:
    low, high = sorted((pair.first, pair.second))
    change = pair.difference if pair.first == low else -pair.difference
    between = f"from {phrase(parameter, low)} to {plain(high)}"
    observed = f"The largest difference that is not significant, {points(change)} points {between}"
    if pair.needed is None:
        return f"{observed}, is too small for any number of repeats."
    return f"{observed}, would need {pair.needed:,} repeats of each if it is real."


def _permutation(pairwise: Pairwise) -> tuple[str, ...]:
    """Say so if no test without assumptions could find any pair different."""
    smallest = min(each.smallest_p_value for each in pairwise.tests)
    if smallest <= pairwise.level:
        return ()
    number = min(each.repeats for each in pairwise.tests)
    enough = repeats_to_reach(pairwise.level, pairwise.test == "paired t")
    corrected = "after correction " if len(pairwise.tests) > 1 else ""
    return (
        f"With {count(number, 'repeat')} no pair can reach significance {corrected}by a test that assumes "
        f"nothing of how readings are spread: the smallest p value of a permutation test is {smallest:.2g}, "
        f"and {pairwise.level:.2g} is required of the clearest of {count(len(pairwise.tests), 'pair')}. With "
        f"{enough} repeats it could; significant differences rest on a normal distribution of readings.",
    )


def _sampling(accuracy: float, images: int) -> str:
    error = percent(sampling_error(accuracy, images), sign=False)
    return (
        f"All settings are read on the same {images:,} test images. On others an accuracy of "
        f"{percent(accuracy)} would move by about {error} points "
        "(standard error), mostly alike in all settings; the intervals cover seeds only."
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
