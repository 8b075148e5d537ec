"""Answer the optimum exercise: the finals, the kept candidate, its gain and the cost of finding it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from study.conclusions.answers import Answer, describe_failed
from study.conclusions.sweep_answer import describe_overfitting
from study.records import Curve, SettingReadings
from study.spec import Protocol, Setting, Study
from study.statistics import compare_pairs, summarise
from study.wording import (
    count,
    duration,
    interval,
    listing,
    percent,
    phrase,
    points,
    points_interval,
    probability,
)


@dataclass(frozen=True)
class Final:
    """One candidate compared with the kept one.

    `gain` is the kept candidate's mean test accuracy less this one's (fraction), `low` and `high` its 95%
    interval, corrected for the number of candidates, as is `adjusted_p_value`; NaN where there are too
    few readings, and for the kept candidate itself.
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
    """Pairs of candidates that were compared."""

    @property
    def kept(self) -> Final:
        """Return the candidate kept on validation."""
        return next(each for each in self.all if each.is_kept)

    @property
    def cheapest(self) -> Final:
        """Return the cheapest one not significantly different from the kept one; it may be the kept one."""
        return min((each for each in self.all if each.is_as_good), key=lambda each: each.multiply_adds)


def rank_finalists(readings: Mapping[str, SettingReadings], kept: str, costs: Mapping[str, int]) -> Finals:
    """Compare every candidate with the kept one, as settings of a sweep are compared.

    We do not pair by seed: from the same seed other shapes draw other weights.

    Args:
        readings: Test accuracies of each candidate.
        kept: Name of the one kept on validation.
        costs: Multiply-adds of one image, by candidate.
    """
    places = {name: float(place) for place, name in enumerate(readings)}
    found = compare_pairs({places[name]: each.test for name, each in readings.items()}, is_paired=False)
    finals = []
    for name, each in readings.items():
        final = Final(name, each, costs[name], name == kept)
        if name != kept and {places[name], places[kept]} <= set(found.settings):
            pair = found.of(places[name], places[kept])
            final = replace(
                final,
                gain=pair.difference,
                low=pair.low,
                high=pair.high,
                adjusted_p_value=pair.adjusted_p_value,
            )
        finals.append(final)
    return Finals(tuple(finals), len(found.tests))


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


ASKED = ("filters", "kernel_size", "dense_units", "dropout", "learning_rate", "epochs")
"""The parameters that are named of an optimum in any case."""


@dataclass(frozen=True)
class Candidates:
    """What was measured of the candidates, by name, and the mean curve of the kept one's trainings."""

    readings: Mapping[str, SettingReadings]
    settings: Mapping[str, Setting]
    curve: Curve | None = None


def answer_optimum(study: Study, finals: Finals | None, found: Candidates) -> Answer:
    """Name the optimal values and their score on test, how they were found, and the gain over the others.

    Args:
        study: The study.
        finals: The candidates compared; None if none was trained to its end.
        found: What was measured of them.
    """
    failures = describe_failed({name: each.failed for name, each in found.readings.items()})
    if finals is None:
        return Answer("No optimum: no candidate was trained to its end.", failures)
    kept = finals.kept
    values = listing(_values(study, kept.name, found.settings))
    headline = (
        f"Best of {count(len(finals.all), 'candidate')}: {values}, "
        f"with {percent(kept.readings.mean)} ({_trainings(kept.readings)})."
    )
    others = [each for each in finals.all if not each.is_kept and each.readings.test]
    details = (
        *_origin(study, kept.name),
        *_gains(others, finals.pairs),
        *_cheapest(finals),
        *describe_overfitting(found.curve),
        *_suspicion(study, kept, found.settings[kept.name].augmentation != "none"),
    )
    return Answer(headline, (*details, *failures), _limits(finals, study.protocol))


def describe_search(cost: SearchCost) -> str:
    """Say how many configurations the search tried, and at what cost."""
    free = f", besides {count(cost.free, 'setting')} of the sweeps, which were free" if cost.free else ""
    return (
        f"The search tried {count(cost.trainings, 'configuration')}{free}; {cost.stopped} of its own were "
        f"stopped early. It took {count(cost.epochs, 'epoch')}, {duration(cost.seconds)} of one thread."
    )


def _values(study: Study, kept: str, settings: Mapping[str, Setting]) -> list[str]:
    """Name the values of the kept candidate, and say which of those asked for no candidate varied."""
    search = study.optimum.search if study.optimum else None
    swept = {name for sweep in study.combined_sweeps for name in sweep.varied}
    varied = swept | set(search.space if search else ())
    lacking = study.model.missing if study.model else ()
    own = study.model.own if study.model else ()
    named = {name: each for name, each in settings[kept].values.items() if name not in lacking}
    before = study.baseline.values
    return [
        f"{phrase(name, value)}{'' if name in varied or _differs(name, settings) else ' (not varied)'}"
        for name, value in named.items()
        if name in ASKED or name in own or value not in (None, before[name])
    ]


def _differs(parameter: str, settings: Mapping[str, Setting]) -> bool:
    return len({each.values[parameter] for each in settings.values()}) > 1


def _origin(study: Study, kept: str) -> tuple[str, ...]:
    """Say how the candidates were made, and what they assume."""
    numbers = [str(sweep.number) for sweep in study.combined_sweeps]
    combined = (
        f"'combination' joins the best values, by validation accuracy, of Exercises {listing(numbers)}."
        if numbers
        else ""
    )
    note = study.optimum.note if study.optimum else ""
    return (f"This is the candidate {kept!r}.", *filter(None, (combined, note)))


def _gains(others: list[Final], pairs: int) -> tuple[str, ...]:
    if not others:
        return ()
    tested = [each for each in others if not math.isnan(each.low)]
    if not tested:
        scores = [
            f"{each.name!r} reaches {percent(each.readings.mean)} ({_trainings(each.readings)})"
            for each in others
        ]
        return (f"{listing(scores)}; the differences are not tested.",)
    gains = [
        f"{points(each.gain)} points on {each.name!r} ({points_interval(each.low, each.high)}, "
        f"p {probability(each.adjusted_p_value)})"
        for each in tested
    ]
    corrected = ", corrected for the number of candidates" if pairs > 1 else ""
    return (f"It gains {listing(gains)}; intervals are 95%{corrected}.",)


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


def _suspicion(study: Study, kept: Final, is_augmented: bool) -> tuple[str, ...]:
    threshold = LEAK_FROM_AUGMENTED if is_augmented else LEAK_FROM
    if study.data.is_own or kept.readings.mean < threshold:
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
            "As in the published lab, models were chosen on the test images, so this figure is slightly "
            "optimistic.",
        )
    if not finals.pairs:
        return ()
    return (
        "Which candidate is kept is read from the validation accuracies of these same runs: where two are "
        "nearly equal, luck helps to choose, and a little of it is in the kept one's test accuracy too.",
    )


def _trainings(readings: SettingReadings) -> str:
    found = summarise(list(readings.test.values()))
    if found.count == 1:
        return "one training"
    within = f"95% interval {interval(found.low, found.high)}" if found.has_interval else "all equal"
    return f"mean of {found.count} trainings, {within}"
