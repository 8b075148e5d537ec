"""Simulate studies whose truth is known: how often our statistics claim what is not so, and find what is.

Run it with `make bench-stats` (a quarter of an hour on two cores; nothing is trained): it prints the tables
of `docs/statistics.md`. Every simulated study goes through the very functions a run goes through.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import sqrt
from statistics import fmean

import numpy as np

from study.statistics.bootstrap import bootstrap_interval
from study.statistics.correction import correct
from study.statistics.difference import Published, judge_agreement, welch
from study.statistics.pairwise import compare_pairs
from study.statistics.power import TTest
from study.statistics.summary import summarise
from study.statistics.trend import find_trend

STUDIES = 10_000

RESAMPLED = 2_000
"""At most as many where intervals are resampled, which takes a hundred times as long."""

SPREAD = 0.0044
"""Standard deviation of a published reading (fraction), see `studies/published/README.md`."""

COLLAPSE = 0.1
"""How often a training collapses to a tenth, where some do."""

COMPARED = 2_000
"""At most as many where settings are compared: an integral a pair, 9 ms."""

Truth = Sequence[tuple[float, float]]
"""Mean and standard deviation of each setting's readings."""

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
"""Readings, `(settings, repeats)`, of a study without any difference between settings."""


@dataclass(frozen=True)
class Rate:
    """How often something happened in as many simulations."""

    words: str
    happened: int
    simulations: int

    @property
    def fraction(self) -> float:
        """As a fraction."""
        return self.happened / self.simulations

    @property
    def error(self) -> float:
        """The standard error of that fraction, from the number of simulations."""
        return sqrt(max(self.fraction * (1 - self.fraction), 1e-12) / self.simulations)


def normal(rng: np.random.Generator, settings: int, repeats: int) -> np.ndarray:
    """Readings as the published ones are spread."""
    return rng.normal(0.89, SPREAD, (settings, repeats))


def unequal(rng: np.random.Generator, settings: int, repeats: int) -> np.ndarray:
    """Settings that spread unequally: the last five times as much as the first, as learning rates do."""
    return 0.89 + rng.normal(0, SPREAD, (settings, repeats)) * np.linspace(1, 5, settings)[:, None]


def shared(rng: np.random.Generator, settings: int, repeats: int) -> np.ndarray:
    """Settings that share seeds: half of the variance is the seed's."""
    seeds = rng.normal(0, SPREAD / sqrt(2), repeats)
    return 0.89 + seeds + rng.normal(0, SPREAD / sqrt(2), (settings, repeats))


def heavy(rng: np.random.Generator, settings: int, repeats: int) -> np.ndarray:
    """Heavy tails: Student's t with three degrees of freedom."""
    return 0.89 + SPREAD * rng.standard_t(3, (settings, repeats))


def collapsing(rng: np.random.Generator, settings: int, repeats: int) -> np.ndarray:
    """One training in ten collapses to a tenth, in every setting alike."""
    return np.where(rng.random((settings, repeats)) < COLLAPSE, 0.1, normal(rng, settings, repeats))


RATES: Truth = ((0.819, 0.025), (0.889, 0.003), (0.873, 0.004), (0.833, 0.006), (0.70, 0.069))
UNITS: Truth = ((0.890, 0.0025), (0.896, 0.0025), (0.901, 0.0025), (0.905, 0.0025), (0.909, 0.0025))
FILTERS: Truth = ((0.883, 0.0035), (0.887, 0.0035), (0.890, 0.0035), (0.894, 0.0035), (0.890, 0.0035))
EPOCHS: Truth = ((0.859, 0.008), (0.870, 0.010), (0.889, 0.005), (0.893, 0.003), (0.894, 0.003))
"""Truths like those of the lab's sweeps."""

SWEEPS: tuple[tuple[str, Draw, int, int, bool], ...] = (
    ("5 settings, 5 repeats, Welch", normal, 5, 5, False),
    ("6 settings, 4 repeats, Welch", normal, 6, 4, False),
    ("5 settings, 4 repeats, paired", shared, 5, 4, True),
    ("5 settings, 5 repeats, Welch, seeds shared", shared, 5, 5, False),
    ("5 settings, 5 repeats, Welch, unequal spreads", unequal, 5, 5, False),
    ("5 settings, 5 repeats, Welch, heavy tails", heavy, 5, 5, False),
    ("5 settings, 5 repeats, Welch, 1 in 10 collapses", collapsing, 5, 5, False),
    ("5 settings, 35 repeats, Welch", normal, 5, 35, False),
)
"""Words, readings, settings, repeats, and whether they are compared seed by seed."""


LOWER = (
    ("learning rate 0.00001, 19 points lower, spread 7", RATES, 5, 4, False),
    ("learning rate 0.1, 7 points lower, spread 2.5", RATES, 5, 0, False),
    ("256 units, 0.4 points lower than 512, spread 0.25", UNITS, 5, 3, False),
    ("16 filters, 0.7 points lower than 64, spread 0.35", FILTERS, 5, 1, False),
    ("2 epochs, 2.4 points lower than 20, by seed, spread 1", EPOCHS, 4, 1, True),
)
"""Words, truth, repeats, place of the setting, and whether seeds are paired."""


def claim_falsely(
    seeds: Iterable[int], draw: Draw, settings: int, repeats: int, paired: bool, is_old: bool
) -> int:
    """In how many studies without any difference a setting is said to differ from the best (longest)."""
    return sum(bool(_differing(_study(seed, draw, settings, repeats), paired, is_old)) for seed in seeds)


def _differing(study: dict[float, dict[int, float]], is_paired: bool, is_old: bool) -> set[float]:
    """The settings that differ from the best, or from the longest; the old way is Holm's over all pairs."""
    pairwise = compare_pairs(study, is_paired)
    with_reference = {
        value: pairwise.of(value, pairwise.reference) for value in study if value != pairwise.reference
    }
    if not is_old:
        return {value for value, each in with_reference.items() if each.differs}
    best = max(study, key=lambda value: fmean(study[value].values()))
    pairs = [(each.first, each.second) for each in pairwise.tests]
    corrected = zip(pairs, correct([each.p_value for each in pairwise.tests]), strict=True)
    return {min(set(pair) - {best}) for pair, p_value in corrected if p_value <= 0.05 and best in pair}


def find_lower(seeds: Iterable[int], truth: Truth, repeats: int, at: int, paired: bool, is_old: bool) -> int:
    """In how many studies of this truth the setting at a place is said to differ from the best."""
    return sum(float(at) in _differing(_true_study(seed, truth, repeats), paired, is_old) for seed in seeds)


def _true_study(seed: int, truth: Truth, repeats: int) -> dict[float, dict[int, float]]:
    rng = np.random.default_rng(seed)
    return {
        float(at): dict(enumerate(rng.normal(mean, deviation, repeats).tolist()))
        for at, (mean, deviation) in enumerate(truth)
    }


def see_trend_falsely(seeds: Iterable[int], draw: Draw, settings: int, repeats: int, paired: bool) -> int:
    """In how many of them a trend is seen."""
    return sum(
        find_trend(list(_study(seed, draw, settings, repeats).values()), paired).is_seen for seed in seeds
    )


def cover_all(seeds: Iterable[int], truth: Truth, repeats: int) -> int:
    """In how many studies the intervals of all settings against the best hold the true differences."""
    held = 0
    for seed in seeds:
        pairwise = compare_pairs(_true_study(seed, truth, repeats), False)
        best = pairwise.reference
        tests = [pairwise.of(value, best) for value in pairwise.settings if value != best]
        true = [truth[int(best)][0] - truth[int(each.first)][0] for each in tests]
        held += all(each.low <= by <= each.high for each, by in zip(tests, true, strict=True))
    return held


def cover_mean(seeds: Iterable[int], draw: Draw, repeats: int, mean: float, is_bootstrap: bool) -> int:
    """How often the 95% interval of a mean holds the true one."""
    held = 0
    for seed in seeds:
        readings = draw(np.random.default_rng(seed), 1, repeats)[0].tolist()
        spread, resampled = summarise(readings), bootstrap_interval(readings) if is_bootstrap else None
        low, high = resampled or (spread.low, spread.high)
        held += low - 1e-12 <= mean <= high + 1e-12
    return held


def cover_difference(seeds: Iterable[int], repeats: int) -> int:
    """How often the 95% interval of a difference of two means of unequal spread holds the true one."""
    held = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        first, second = rng.normal(0, 1, repeats).tolist(), rng.normal(1, 3, repeats).tolist()
        low, high = welch(first, second).interval()
        held += low <= 1 <= high
    return held


def find_difference(seeds: Iterable[int], difference: float, repeats: int, level: float) -> int:
    """How often Welch's test finds a difference (fraction) at a level."""
    found = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        first, second = normal(rng, 2, repeats)
        found += welch(first.tolist(), (second + difference).tolist()).p_value <= level
    return found


def judge_published(
    seeds: Iterable[int], verdict: str, difference: float, repeats: int, readings: int, margin: float
) -> int:
    """How often a mean that truly differs so much from a published one gets a verdict."""
    happened = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        theirs = rng.normal(0, SPREAD, readings)
        published = Published(float(theirs.mean()), readings, float(theirs.std(ddof=1)), is_own=True)
        ours = rng.normal(difference, SPREAD, repeats).tolist()
        happened += judge_agreement(ours, published, margin).verdict == verdict
    return happened


def _study(seed: int, draw: Draw, settings: int, repeats: int) -> dict[float, dict[int, float]]:
    readings = draw(np.random.default_rng(seed), settings, repeats)
    return {float(place): dict(enumerate(row.tolist())) for place, row in enumerate(readings)}


def measure(
    words: str, simulate: Callable[[Iterable[int]], int], studies: int, pool: ProcessPoolExecutor
) -> Rate:
    """Simulate so many studies, each of a seed of its own, on all processes."""
    step = max(1, studies // 40)
    parts = [range(start, min(start + step, studies)) for start in range(0, studies, step)]
    return Rate(words, sum(pool.map(simulate, parts)), studies)


def print_rates(title: str, rates: Iterable[tuple[Rate, str]]) -> None:
    """Print a Markdown table: what was measured, what it should be, and the error of simulation."""
    print(f"\n| {title} | measured | should be |\n| --- | ---: | ---: |", flush=True)
    for rate, expected in rates:
        print(f"| {rate.words} | {rate.fraction:.1%} (± {1.96 * rate.error:.1%}) | {expected} |", flush=True)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated studies a line")
    studies = parser.parse_args().studies
    with ProcessPoolExecutor() as pool:
        print(f"{studies:,} simulated studies a line")
        _print_false(studies, pool)
        _print_coverage(studies, pool)
        _print_power(studies, pool)
        _print_agreement(studies, pool)


def _print_false(studies: int, pool: ProcessPoolExecutor) -> None:
    compared = min(studies, COMPARED)
    for way, is_old in (("", False), (", by Holm over all pairs", True)):
        print_rates(
            f"studies without any difference in which a setting is said to differ{way}",
            (
                (
                    measure(
                        words,
                        partial(claim_falsely, draw=d, settings=s, repeats=r, paired=p, is_old=is_old),
                        compared,
                        pool,
                    ),
                    "at most 5%",
                )
                for words, d, s, r, p in SWEEPS
            ),
        )
        print_rates(
            f"settings that are lower and said to be{way}",
            (
                (
                    measure(
                        words,
                        partial(find_lower, truth=t, repeats=r, at=at, paired=p, is_old=is_old),
                        compared,
                        pool,
                    ),
                    "as high as can be",
                )
                for words, t, r, at, p in LOWER
            ),
        )
    print_rates(
        "studies without any trend in which one is seen",
        (
            (
                measure(
                    words, partial(see_trend_falsely, draw=d, settings=s, repeats=r, paired=p), studies, pool
                ),
                "at most 5%",
            )
            for words, d, s, r, p in SWEEPS[:3]
        ),
    )


def _print_coverage(studies: int, pool: ProcessPoolExecutor) -> None:
    broken = COLLAPSE * 0.1 + (1 - COLLAPSE) * 0.89
    means = [
        *((n, normal, 0.89, False, "94 to 96%") for n in (2, 4, 5, 10, 35)),
        (35, normal, 0.89, True, "94 to 96%"),
        *((n, collapsing, broken, False, "95%") for n in (4, 10, 20, 35)),
        *((n, collapsing, broken, True, "95%") for n in (20, 35)),
    ]
    rows = []
    for n, draw, mean, resampled, expected in means:
        kind = "bootstrap" if resampled else "Student's t"
        words = f"mean of {n}{', 1 in 10 collapses' if draw is collapsing else ''}, {kind}"
        simulate = partial(cover_mean, draw=draw, repeats=n, mean=mean, is_bootstrap=resampled)
        times = min(studies, RESAMPLED) if resampled else studies
        rows.append((measure(words, simulate, times, pool), expected))
    for n in (4, 5, 35):
        words = f"difference of two means of {n}, unequal spreads, Welch"
        rows.append((measure(words, partial(cover_difference, repeats=n), studies, pool), "94 to 96%"))
    for words, truth in (("rates", RATES), ("units", UNITS), ("filters", FILTERS)):
        at_once = partial(cover_all, truth=truth, repeats=5)
        words = f"5 {words} against the best, 5 repeats, all at once"
        rows.append((measure(words, at_once, min(studies, COMPARED), pool), "95%"))
    print_rates("95% intervals that hold the truth", rows)


def _print_power(studies: int, pool: ProcessPoolExecutor) -> None:
    cases = ((0.003, 35, 0.05), (0.01, 5, 0.05), (0.009, 5, 0.05), (0.02, 5, 0.005), (0.003, 10, 0.05))
    print_rates(
        "differences that are found",
        (
            (
                measure(
                    f"{100 * difference:g} points with {repeats} repeats at level {level:g}",
                    partial(find_difference, difference=difference, repeats=repeats, level=level),
                    studies,
                    pool,
                ),
                f"{TTest(SPREAD, level).power(difference, repeats):.1%} predicted",
            )
            for difference, repeats, level in cases
        ),
    )


def _print_agreement(studies: int, pool: ProcessPoolExecutor) -> None:
    cases = (
        (
            "no difference, said to differ; 5 repeats, 5 published readings",
            "differs",
            0.0,
            5,
            5,
            "at most 5%",
        ),
        ("a difference of the margin, said to agree; 5 and 5", "agrees", 0.005, 5, 5, "at most 5%"),
        ("a difference of the margin, said to agree; 35 and 35", "agrees", 0.005, 35, 35, "at most 5%"),
        ("no difference, said to agree; 35 and 35", "agrees", 0.0, 35, 35, "as high as can be"),
        ("2 points, said to differ; 5 and 5", "differs", 0.02, 5, 5, "as high as can be"),
    )
    print_rates(
        "verdicts against a published mean, margin 0.5 points",
        (
            (
                measure(
                    words,
                    partial(
                        judge_published, verdict=verdict, difference=by, repeats=n, readings=m, margin=0.005
                    ),
                    studies,
                    pool,
                ),
                expected,
            )
            for words, verdict, by, n, m, expected in cases
        ),
    )


if __name__ == "__main__":
    main()
