"""The answer to the optimum exercise in words: what was kept, what it gains, and what it cost to find."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from study.answers import Answer, describe_failed
from study.finals import Final, Finals
from study.readings import SettingReadings
from study.spec import Protocol
from study.statistics.spread import summarise
from study.wording import count, duration, interval, listing, percent, points, probability

LEAK_FROM = 0.928
"""Test accuracy from which a mean is suspicious where images are not augmented: networks of one convolution
reach 91 to 92.5% so (`published/README.md`, the band of the optimum)."""

LEAK_FROM_AUGMENTED = 0.936
"""The same where they are augmented: what a capsule network of 8 million parameters reaches with just these
shifts and flips; networks of two convolutions have at most 93.2% in the same table, and of one convolution
with augmentation nothing better than 91.5% was found (`published/README.md`)."""


@dataclass(frozen=True)
class SearchCost:
    """What a search trained itself: trainings begun, those stopped early, epochs, seconds of one thread."""

    trainings: int
    stopped: int
    free: int
    """Settings of sweeps that took part, and were trained for those."""
    epochs: int
    seconds: float


def answer_optimum(
    finals: Finals | None,
    failed: dict[str, SettingReadings],
    protocol: Protocol,
    augmented: Collection[str] = (),
) -> Answer:
    """Say which candidate was kept on validation, what it scores on test, and what it gains on the others.

    Args:
        finals: the candidates compared; None if none was trained to its end.
        failed: readings by the candidate's name, to say which trials failed.
        protocol: how accuracy was read.
        augmented: names of the candidates whose images are augmented.
    """
    failures = describe_failed("candidate", failed)
    if finals is None:
        return Answer("No optimum: no candidate was trained to its end.", failures)
    kept = finals.kept
    headline = (
        f"Of {count(len(finals.all), 'candidate')}, {kept.name!r} was kept on validation accuracy; "
        f"its test accuracy is {percent(kept.readings.mean)} ({_runs(kept.readings)})."
    )
    others = [each for each in finals.all if not each.is_kept and each.readings.test]
    details = (*_gains(others, finals.pairs), *_cheapest(finals), *_suspicion(kept, kept.name in augmented))
    return Answer(headline, (*details, *failures), _limits(finals, protocol))


def describe_search(cost: SearchCost) -> str:
    """Say how many configurations the search tried, and what that cost."""
    free = f", beside {count(cost.free, 'setting')} of the sweeps, which were free" if cost.free else ""
    return (
        f"The search tried {count(cost.trainings, 'configuration')}{free}; {cost.stopped} of its own were "
        f"stopped early. It took {count(cost.epochs, 'epoch')}, {duration(cost.seconds)} of one thread."
    )


def _gains(others: list[Final], pairs: int) -> tuple[str, ...]:
    if not others:
        return ()
    told = [each for each in others if not math.isnan(each.low)]
    if not told:
        scores = listing([f"{each.name!r} {percent(each.readings.mean)}" for each in others])
        return (f"On test the others score: {scores}; the differences are not tested.",)
    gains = [
        f"{points(each.gain)} points on {each.name!r} ({points(each.low)} to {points(each.high)}, "
        f"p {probability(each.adjusted_p_value)})"
        for each in told
    ]
    corrected = (
        f"Intervals are 95% and hold for all {pairs} pairs of candidates at once, p is corrected for as many "
        "(Holm)."
        if pairs > 1
        else "The interval is 95%, p Welch's."
    )
    return (f"It gains {listing(gains)}. {corrected}",)


def _cheapest(finals: Finals) -> tuple[str, ...]:
    if not finals.pairs:
        return ()
    kept, cheapest = finals.kept, finals.cheapest
    if cheapest.is_kept:
        return ("No cheaper candidate is as good as the kept one, as far as these runs can tell.",)
    saved = 1 - cheapest.multiply_adds / kept.multiply_adds
    return (
        f"The cheapest candidate that cannot be told from it is {cheapest.name!r}, with {saved:.0%} fewer "
        "multiply-adds an image; that is not to say that they are equal.",
    )


def _suspicion(kept: Final, is_augmented: bool) -> tuple[str, ...]:
    threshold = LEAK_FROM_AUGMENTED if is_augmented else LEAK_FROM
    if kept.readings.mean < threshold:
        return ()
    how = "with" if is_augmented else "without"
    return (
        f"{percent(threshold)} and more is above what such networks are known to reach on this data {how} "
        "augmentation: suspect that test images have taken part in training or in a choice, and look for it "
        "before you believe it.",
    )


def _limits(finals: Finals, protocol: Protocol) -> tuple[str, ...]:
    if protocol == "lab":
        return (
            "The test images are the validation images here: the kept score was chosen too and tends to be "
            "high.",
        )
    if not finals.pairs:
        return ()
    return (
        "Which candidate is kept is read from the validation accuracies of these same runs: where two are "
        "nearly equal, luck helps to choose, and a little of it is in the kept one's test accuracy too.",
        "All is said of one test set: other images would move all candidates together.",
    )


def _runs(readings: SettingReadings) -> str:
    found = summarise(list(readings.test.values()))
    if found.count == 1:
        return "one run, no interval"
    return f"mean of {found.count} runs, 95% interval {interval(found.low, found.high)}"
