"""Answer the optimum exercise: the finals, the kept candidate, its gain and the cost of finding it."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from study.conclusions.answers import Answer, describe_failed
from study.records import SettingReadings
from study.spec import Protocol
from study.statistics import PairTest, compare_pairs, summarise
from study.wording import count, duration, interval, listing, percent, points, probability


@dataclass(frozen=True)
class Final:
    """One candidate compared with the kept one.

    `gain` is the kept candidate's mean test accuracy less this one's (fraction), `low` and `high` its 95%
    interval, which holds for all pairs of candidates at once, `adjusted_p_value` Holm's over all pairs; NaN
    where there are too few readings, and for the kept candidate itself.
    """

    name: str
    readings: SettingReadings
    multiply_adds: int
    is_kept: bool
    gain: float = math.nan
    low: float = math.nan
    high: float = math.nan
    adjusted_p_value: float = math.nan

    @property
    def is_as_good(self) -> bool:
        """Say whether it does not differ significantly from the kept one; false if nothing was compared."""
        return self.is_kept or self.adjusted_p_value > 0.05


@dataclass(frozen=True)
class Finals:
    """All candidates, in the order of the study."""

    all: tuple[Final, ...]
    pairs: int
    """Pairs of candidates that were compared; everything is corrected for them."""

    @property
    def kept(self) -> Final:
        """Return the candidate kept on validation."""
        return next(each for each in self.all if each.is_kept)

    @property
    def cheapest(self) -> Final:
        """Return the cheapest one not significantly different from the kept one; it may be the kept one."""
        return min((each for each in self.all if each.is_as_good), key=lambda each: each.multiply_adds)


def rank_finalists(readings: Mapping[str, SettingReadings], kept: str, costs: Mapping[str, int]) -> Finals:
    """Compare every candidate with the kept one by Welch's test, corrected for all pairs of candidates.

    We correct for all pairs because the data itself decides which candidate is kept. We do not pair by seed:
    from the same seed other shapes draw other weights.

    Args:
        readings: Test accuracies of each candidate.
        kept: Name of the one kept on validation.
        costs: Multiply-adds of one image, by candidate.

    Raises:
        KeyError: the kept candidate has no readings.
    """
    names = list(readings)
    found = compare_pairs({float(place): readings[name].test for place, name in enumerate(names)}, False)
    winner = float(names.index(kept)) if kept in names else None
    if winner is None:
        raise KeyError(f"{kept!r} is none of the candidates {', '.join(names)}")
    by_other = {_other(each, winner): each for each in found.tests if winner in (each.first, each.second)}
    finals = [
        _final(name, readings[name], costs[name], name == kept, by_other.get(float(place)), winner)
        for place, name in enumerate(names)
    ]
    return Finals(tuple(finals), len(found.tests))


def _other(pair: PairTest, winner: float) -> float:
    return pair.second if pair.first == winner else pair.first


def _final(
    name: str, readings: SettingReadings, cost: int, is_kept: bool, pair: PairTest | None, winner: float
) -> Final:
    if pair is None:
        return Final(name, readings, cost, is_kept)
    sign = 1 if pair.second == winner else -1  # a pair's difference is its second less its first
    low, high = sorted((sign * pair.low, sign * pair.high))
    return Final(name, readings, cost, is_kept, sign * pair.difference, low, high, pair.adjusted_p_value)


LEAK_FROM = 0.928
"""Test accuracy from which a mean is suspicious where images are not augmented: networks of one convolution
reach 91 to 92.5% so (`published/README.md`, the band of the optimum)."""

LEAK_FROM_AUGMENTED = 0.936
"""The same for augmented images: a capsule network of 8 million parameters reaches this with just these
shifts and flips; networks of two convolutions have at most 93.2% in the same table, and of one convolution
with augmentation we found at most 91.5% (`published/README.md`)."""


@dataclass(frozen=True)
class SearchCost:
    """The work of a search: trainings begun, those stopped early, epochs, seconds of one thread."""

    trainings: int
    stopped: int
    free: int
    """Settings that took part and were trained for the sweeps."""
    epochs: int
    seconds: float


def answer_optimum(
    finals: Finals | None,
    failed: dict[str, SettingReadings],
    protocol: Protocol,
    augmented: Collection[str] = (),
) -> Answer:
    """Say which candidate was kept on validation, its score on test, and its gain over the others.

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
    """Say how many configurations the search tried, and at what cost."""
    free = f", besides {count(cost.free, 'setting')} of the sweeps, which were free" if cost.free else ""
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
        f"Intervals are 95% and hold for all {pairs} pairs of candidates at once, p is corrected for all "
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
        return ("No cheaper candidate is as good as the kept one, as far as these runs show.",)
    saved = 1 - cheapest.multiply_adds / kept.multiply_adds
    return (
        f"The cheapest candidate that does not differ significantly from it is {cheapest.name!r}, with "
        f"{saved:.0%} fewer multiply-adds an image; the two need not be equal.",
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
        "All this holds for one test set: other images would move all candidates together.",
    )


def _runs(readings: SettingReadings) -> str:
    found = summarise(list(readings.test.values()))
    if found.count == 1:
        return "one run, no interval"
    return f"mean of {found.count} runs, 95% interval {interval(found.low, found.high)}"
