"""The answer to each exercise in words, derived from the numbers and claiming no more than they bear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from study.chosen_model import ChosenModel
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.spec import Protocol, SweepExercise
from study.statistics.pairs import SIGNIFICANCE, Comparison, compare, unseen_difference
from study.wording import count, listing, percent, phrase, plain

COLLAPSED = 2 / len(CLASS_NAMES)
"""Accuracy at or under which a training has collapsed: twice what guessing scores."""


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise: a sentence that stands alone, and sentences that bear it out."""

    headline: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class SettingReadings:
    """Test accuracies (fractions) of one setting's completed trials by seed, and how many trials failed."""

    test: Mapping[int, float] = field(default_factory=dict)
    failed: int = 0

    @property
    def mean(self) -> float:
        """Mean test accuracy."""
        return float(np.mean(list(self.test.values())))


Sweep = Mapping[float, SettingReadings]


def answer_images(drawn: bool) -> Answer:
    """Answer the exercise that draws the first nine images."""
    if not drawn:
        return Answer("The images were not drawn in this run.")
    return Answer(
        f"Each image is {IMAGE_SIDE} by {IMAGE_SIDE} grey pixels and shows one article of "
        f"{len(CLASS_NAMES)} classes; the first nine training images are drawn here."
    )


def answer_sweep(exercise: SweepExercise, readings: Sweep) -> Answer:
    """Say which value has the highest mean test accuracy, and which others cannot be told from it.

    Budgets of epochs are compared pairwise by seed: a shorter one reads the beginning of the same training.
    """
    measured = {value: each for value, each in readings.items() if each.test}
    if not measured:
        return Answer("No conclusion: every trial failed.")
    best = max(measured, key=lambda value: measured[value].mean)
    most = (
        f"The highest mean accuracy, {percent(measured[best].mean)} (n={len(measured[best].test)}), "
        f"is with {phrase(exercise.parameter, best)}"
    )
    warnings = (*_collapses(exercise.parameter, measured), *_failures(exercise.parameter, readings))
    repeated = {value: each for value, each in measured.items() if len(each.test) > 1}
    if len(measured) == 1:
        return Answer(f"{most}, the only value measured: there is nothing to compare it with.", warnings)
    if best not in repeated or len(repeated) == 1:
        return Answer(f"{most}, but a single repeat bears no conclusion.", warnings)
    tests = {value: each.test for value, each in repeated.items()}
    comparison = compare(tests, paired=exercise.parameter == "epochs")
    left_out = [value for value in readings if value not in repeated]
    notes = _notes(repeated, best, comparison, left_out)
    return Answer(f"{most}{_verdict(repeated, best, comparison, bool(left_out))}.", notes + warnings)


def answer_optimum(candidates: Mapping[str, SettingReadings], kept: str | None, protocol: Protocol) -> Answer:
    """Say which candidate was kept on validation, and what it scores on test.

    Args:
        candidates: readings by the candidate's name.
        kept: the candidate that was kept; None if none could be.
        protocol: how accuracy was read.
    """
    failed = _failures("candidate", candidates)
    if kept is None or kept not in candidates or not candidates[kept].test:
        return Answer("No optimum: no candidate was trained to its end.", failed)
    winner = candidates[kept]
    headline = (
        f"Of {count(len(candidates), 'candidate')}, {kept!r} was kept on validation accuracy; "
        f"its test accuracy is {percent(winner.mean)} ({_runs(winner)})."
    )
    others = [
        f"{name!r} {percent(each.mean)}" for name, each in candidates.items() if name != kept and each.test
    ]
    rest = (
        (f"On test the others score: {', '.join(others)}; the differences are not tested.",) if others else ()
    )
    return Answer(headline, (*rest, *_selection(protocol), *failed))


def answer_model(chosen: ChosenModel | None) -> Answer:
    """Say whether the saved model, loaded again, is the same model, and what it makes of the new image."""
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
    return Answer(headline, (_reloaded(chosen), *_confused(chosen.confusion)))


def _verdict(measured: Sweep, best: float, comparison: Comparison, incomplete: bool) -> str:
    others = [value for value in measured if value != best]
    equals = [plain(value) for value in others if not comparison.differ(best, value)]
    lower = [plain(value) for value in others if comparison.differ(best, value)]
    compared = "value that was compared" if incomplete else "value"
    if not equals:
        return f", and {'every' if len(others) > 1 else 'the'} other {compared} is lower"
    if not lower:
        any_ = "any" if len(others) > 1 else "the"
        return f", but {_repeats(measured)} cannot tell it from {any_} other {compared}"
    are = "is" if len(lower) == 1 else "are"
    return f"; {listing(equals)} cannot be told from it, {listing(lower)} {are} lower"


def _notes(measured: Sweep, best: float, comparison: Comparison, left_out: list[float]) -> tuple[str, ...]:
    test = "a paired t test over equal seeds" if comparison.paired else "Welch's t test"
    why = ", because fewer epochs are the beginning of the same training" if comparison.paired else ""
    pairs = f" with Holm's correction over {comparison.pairs} pairs" if comparison.pairs > 1 else ""
    notes = [f"Compared by {test} at the {SIGNIFICANCE:.0%} level{pairs}{why}."]
    unseen = [
        unseen_difference(measured[best].test, each.test, comparison)
        for value, each in measured.items()
        if value != best and not comparison.differ(best, value) and not _collapsed(each)
    ]
    if any(width > 0 for width in unseen):
        notes.append(
            f"What cannot be told apart need not be equal: with {_repeats(measured)} a difference of "
            f"{100 * np.nanmax(unseen):.1f} points can go unseen here."
        )
    if left_out:
        notes.append(
            f"Not compared, having fewer than two completed repeats: {listing([plain(v) for v in left_out])}."
        )
    return tuple(notes)


def _collapsed(readings: SettingReadings) -> int:
    return sum(accuracy <= COLLAPSED for accuracy in readings.test.values())


def _collapses(parameter: str, measured: Sweep) -> tuple[str, ...]:
    return tuple(
        f"With {phrase(parameter, value)}, {_collapsed(each)} of {count(len(each.test), 'trial')} collapsed "
        f"(at most {percent(COLLAPSED)}; guessing scores {percent(COLLAPSED / 2)}), and the mean hides that."
        for value, each in measured.items()
        if _collapsed(each)
    )


def _failures(
    parameter: str, readings: Mapping[float, SettingReadings] | Mapping[str, SettingReadings]
) -> tuple[str, ...]:
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


def _selection(protocol: Protocol) -> tuple[str, ...]:
    if protocol != "lab":
        return ()
    return (
        "The test images are the validation images here: the kept score was chosen too and tends to be high.",
    )


def _reloaded(chosen: ChosenModel) -> str:
    before, after = percent(chosen.test_accuracy), percent(chosen.reloaded_test_accuracy)
    return f"Test accuracy is {before} before saving and {after} after loading."


def _confused(confusion: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """The commonest mistake; none where there is no mistake."""
    counts = np.array(confusion)
    of_class = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    true, predicted = np.unravel_index(int(counts.argmax()), counts.shape)
    if counts[true, predicted] == 0:
        return ()
    return (
        f"Its commonest mistake is {CLASS_NAMES[true]} taken for {CLASS_NAMES[predicted]}: "
        f"{counts[true, predicted]:,} of {of_class[true]:,}.",
    )


def _runs(readings: SettingReadings) -> str:
    number = len(readings.test)
    return "one run, no interval" if number == 1 else f"mean of {number} runs"


def _repeats(measured: Sweep) -> str:
    fewest = min(len(each.test) for each in measured.values())
    most = max(len(each.test) for each in measured.values())
    return f"{fewest} repeats" if fewest == most else f"{fewest} to {most} repeats"
