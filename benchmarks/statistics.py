"""Simulate studies whose truth is known: how often our statistics claim what is not so, and find what is.

Run it with `make bench-stats` (a quarter of an hour on two cores; nothing is trained): it prints the tables
of `docs/statistics.md`. Every simulated study goes through the very functions a run goes through.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import sqrt

import numpy as np

from study.statistics.bootstrap import bootstrap_interval
from study.statistics.difference import Published, judge_agreement, welch
from study.statistics.pairwise import compare_pairs
from study.statistics.power import power_of
from study.statistics.summary import summarise

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
class Line:
    """A line of a table: what is simulated, and how often it should happen."""

    words: str
    simulate: Callable[[Iterable[int]], int]
    """Counts in how many of these seeds' studies it happens."""
    expected: str
    most: int = STUDIES
    """Simulated studies at most."""


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


UNITS: Truth = ((0.890, 0.0025), (0.896, 0.0025), (0.901, 0.0025), (0.905, 0.0025), (0.909, 0.0025))
"""A truth like that of the lab's sweep of dense units."""

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


def claim_falsely(seeds: Iterable[int], draw: Draw, settings: int, repeats: int, paired: bool) -> int:
    """In how many studies without any difference a setting is said to differ from the best (longest)."""
    return sum(_says_that_some_differ(_study(seed, draw, settings, repeats), paired) for seed in seeds)


def _says_that_some_differ(study: dict[float, dict[int, float]], is_paired: bool) -> bool:
    pairwise = compare_pairs(study, is_paired)
    others = set(study) - {pairwise.reference}
    return any(pairwise.of(value, pairwise.reference).differs for value in others)


def _study(seed: int, draw: Draw, settings: int, repeats: int) -> dict[float, dict[int, float]]:
    readings = draw(np.random.default_rng(seed), settings, repeats)
    return {float(place): dict(enumerate(row.tolist())) for place, row in enumerate(readings)}


def cover_all(seeds: Iterable[int], truth: Truth, repeats: int) -> int:
    """In how many studies the intervals of all settings against the best hold the true differences."""
    held = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        study = {
            float(at): dict(enumerate(rng.normal(mean, deviation, repeats).tolist()))
            for at, (mean, deviation) in enumerate(truth)
        }
        pairwise = compare_pairs(study, False)
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
    seeds: Iterable[int], verdict: str, difference: float, repeats: int, margin: float
) -> int:
    """How often a mean that differs so much from a published one, of as many readings, gets a verdict."""
    happened = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        theirs = rng.normal(0, SPREAD, repeats)
        published = Published(float(theirs.mean()), repeats, float(theirs.std(ddof=1)), is_own=True)
        ours = rng.normal(difference, SPREAD, repeats).tolist()
        happened += judge_agreement(ours, published, margin).verdict == verdict
    return happened


def print_lines(title: str, lines: Iterable[Line], studies: int, pool: ProcessPoolExecutor) -> None:
    """Print a Markdown table: what was measured, with the 95% error of simulation, and what it should be."""
    print(f"\n| {title} | measured | should be |\n| --- | ---: | ---: |", flush=True)
    for line in lines:
        count = min(studies, line.most)
        step = max(1, count // 40)
        parts = [range(start, min(start + step, count)) for start in range(0, count, step)]
        rate = sum(pool.map(line.simulate, parts)) / count
        error = 1.96 * sqrt(rate * (1 - rate) / count)
        print(f"| {line.words} | {rate:.1%} (± {error:.1%}) | {line.expected} |", flush=True)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated studies a line")
    studies = parser.parse_args().studies
    tables = {
        "studies without any difference in which a setting is said to differ": _false_claims(),
        "95% intervals that hold the truth": _coverage(),
        "differences that are found": _power(),
        "verdicts against a published mean, margin 0.5 points": _agreement(),
    }
    with ProcessPoolExecutor() as pool:
        print(f"{studies:,} simulated studies a line")
        for title, lines in tables.items():
            print_lines(title, lines, studies, pool)


def _false_claims() -> Iterator[Line]:
    for words, draw, settings, repeats, paired in SWEEPS:
        claim = partial(claim_falsely, draw=draw, settings=settings, repeats=repeats, paired=paired)
        yield Line(words, claim, "at most 5%", COMPARED)


def _coverage() -> Iterator[Line]:
    broken = COLLAPSE * 0.1 + (1 - COLLAPSE) * 0.89
    means = [
        *((n, normal, 0.89, False, "94 to 96%") for n in (2, 4, 5, 10, 35)),
        (35, normal, 0.89, True, "94 to 96%"),
        *((n, collapsing, broken, False, "95%") for n in (4, 10, 20, 35)),
        *((n, collapsing, broken, True, "95%") for n in (20, 35)),
    ]
    for n, draw, mean, resampled, expected in means:
        kind = "bootstrap" if resampled else "Student's t"
        words = f"mean of {n}{', 1 in 10 collapses' if draw is collapsing else ''}, {kind}"
        simulate = partial(cover_mean, draw=draw, repeats=n, mean=mean, is_bootstrap=resampled)
        yield Line(words, simulate, expected, RESAMPLED if resampled else STUDIES)
    for n in (4, 5, 35):
        words = f"difference of two means of {n}, unequal spreads, Welch"
        yield Line(words, partial(cover_difference, repeats=n), "94 to 96%")
    words = "5 settings against the best, 5 repeats, all at once"
    yield Line(words, partial(cover_all, truth=UNITS, repeats=5), "95%", COMPARED)


def _power() -> Iterator[Line]:
    for by, repeats, level in ((0.003, 35, 0.05), (0.003, 10, 0.05), (0.01, 5, 0.05), (0.02, 5, 0.005)):
        words = f"{100 * by:g} points with {repeats} repeats at level {level:g}"
        simulate = partial(find_difference, difference=by, repeats=repeats, level=level)
        yield Line(words, simulate, f"{power_of(by, SPREAD, repeats, level):.1%} predicted")


def _agreement() -> Iterator[Line]:
    for words, verdict, by, n, expected in (
        ("no difference, said to differ; 5 and 5", "differs", 0.0, 5, "at most 5%"),
        ("a difference of the margin, said to agree; 5 and 5", "agrees", 0.005, 5, "at most 5%"),
        ("a difference of the margin, said to agree; 35 and 35", "agrees", 0.005, 35, "at most 5%"),
        ("no difference, said to agree; 35 and 35", "agrees", 0.0, 35, "as high as can be"),
    ):
        judge = partial(judge_published, verdict=verdict, difference=by, repeats=n, margin=0.005)
        yield Line(words, judge, expected)


if __name__ == "__main__":
    main()
