"""Simulate quiet years and injected drifts: how often a night is called drifted, rightly and wrongly.

Run it with `.venv/bin/python -m benchmarks.drift` (some minutes on two cores; no TensorFlow): it prints the
tables of `docs/nights.md`. In the quiet years every night's weights are new, as they never are on one
machine without changes, and nothing has drifted. The real comparison judges night after night, with its
window of earlier runs and its fresh start after a drift.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from math import sqrt

import numpy as np
from scipy.stats import chi2

from study.conclusions.nights import MAX_RUNS, NightReading, Verdict, compare_night
from study.status import NightVerdict

NIGHTS = 365

COLLAPSE, ONE_IN = 0.20, 500
"""By how much the collapsing noise throws a training off, and how often."""


@dataclass(frozen=True)
class Setting:
    """One setting of the lab study: what it reads, how often, and the spread of its readings (points)."""

    exercise: int
    name: str
    training: str
    repeats: int
    spread: float


BASE = "baseline"
LAB = (
    # Standard deviations of test accuracy (n - 1) in points, read from the table `trials` of the lab study:
    # `study run lab` at commit cbbd089, TensorFlow 2.21.0, CPU (AMD EPYC), 4 or 5 repeats a setting.
    Setting(2, "filters=8", "filters=8", 5, 0.365),
    Setting(2, "filters=16", "filters=16", 5, 0.209),
    Setting(2, "filters=32", BASE, 5, 0.349),
    Setting(2, "filters=64", "filters=64", 5, 0.553),
    Setting(2, "filters=128", "filters=128", 5, 0.631),
    Setting(3, "dense_units=16", BASE, 5, 0.349),
    Setting(3, "dense_units=64", "dense_units=64", 5, 0.269),
    Setting(3, "dense_units=128", "dense_units=128", 5, 0.236),
    Setting(3, "dense_units=256", "dense_units=256", 5, 0.184),
    Setting(3, "dense_units=512", "dense_units=512", 5, 0.248),
    Setting(4, "epochs=1", BASE, 4, 3.408),
    Setting(4, "epochs=2", BASE, 4, 0.634),
    Setting(4, "epochs=5", BASE, 4, 0.400),
    Setting(4, "epochs=10", BASE, 4, 0.357),
    Setting(4, "epochs=20", BASE, 4, 0.392),
    Setting(5, "learning_rate=0.1", "learning_rate=0.1", 4, 2.215),
    Setting(5, "learning_rate=0.01", BASE, 4, 0.400),
    Setting(5, "learning_rate=0.001", "learning_rate=0.001", 4, 0.719),
    Setting(5, "learning_rate=0.0001", "learning_rate=0.0001", 4, 0.652),
    Setting(5, "learning_rate=0.00001", "learning_rate=0.00001", 4, 1.619),
    Setting(6, "dropout=0", BASE, 4, 0.593),
    Setting(6, "dropout=0.1", "dropout=0.1", 4, 0.594),
    Setting(6, "dropout=0.2", "dropout=0.2", 4, 0.424),
    Setting(6, "dropout=0.3", "dropout=0.3", 4, 0.529),
    Setting(6, "dropout=0.4", "dropout=0.4", 4, 0.303),
    Setting(6, "dropout=0.5", "dropout=0.5", 4, 0.342),
)
SEEDS = 5
TRAININGS = tuple(dict.fromkeys(setting.training for setting in LAB))

Noise = Callable[[np.random.Generator, int], np.ndarray]
"""Draws noise of standard deviation 1 of all trainings' seeds: (trainings, seeds)."""


def normal(random: np.random.Generator, trainings: int) -> np.ndarray:
    """Normal noise."""
    return random.standard_normal((trainings, SEEDS))


def heavy_tailed(random: np.random.Generator, trainings: int) -> np.ndarray:
    """Student's t with 3 degrees of freedom, scaled: many readings far off."""
    return random.standard_t(3, (trainings, SEEDS)) / sqrt(3)


@dataclass(frozen=True)
class Quiet:
    """How readings differ from night to night where nothing has drifted."""

    words: str
    noise: Noise = normal
    one_in: int = 0
    """One training in so many collapses; 0 for none."""
    new: float = 1.0
    """Share of a reading's variance that is new every night; the rest belongs to its seed."""


NEW = 0.2
"""A guess at that share where the rounding changes. At learning rate 0.01 readings of a seed differ by 0.18
points, seeds by 0.38 (see `study.shift.find_shift`), which makes it 0.11; at smaller rates it is less, at
0.1 it is 0.25."""

NOISES = (
    Quiet("normal"),
    Quiet("heavy-tailed (t, 3 degrees of freedom)", heavy_tailed),
    Quiet(f"normal, and 1 training in {ONE_IN} collapses by {100 * COLLAPSE:.0f} points", one_in=ONE_IN),
    Quiet(f"normal, {NEW:.0%} of the variance new, the rest the seed's", new=NEW),
)


def draw_scores(random: np.random.Generator, noise: Noise) -> np.ndarray:
    """Noise of every setting's seeds, (settings, seeds); half of its variance is of the training it reads."""
    shared = noise(random, len(TRAININGS))[[TRAININGS.index(setting.training) for setting in LAB]]
    return (shared + noise(random, len(LAB))) / sqrt(2)


def simulate_nights(random: np.random.Generator, quiet: Quiet = NOISES[0]) -> Iterator[list[NightReading]]:
    """Night after night, every trial of it, each with weights that no other night has."""
    lasting = draw_scores(random, quiet.noise)
    for number in count():
        scores = sqrt(1 - quiet.new) * lasting + sqrt(quiet.new) * draw_scores(random, quiet.noise)
        chance = 1 / quiet.one_in if quiet.one_in else 0.0
        collapses = random.random((len(TRAININGS), SEEDS)) < chance
        yield [
            NightReading(
                run_id=f"night {number}",
                exercise=setting.exercise,
                setting=setting.name,
                identity=setting.name,
                seed=seed,
                key=f"{setting.training} {seed}",
                weights_sha256=f"{number} {setting.name} {seed}",
                accuracy=0.9
                + setting.spread / 100 * float(scores[place, seed])
                - COLLAPSE * bool(collapses[TRAININGS.index(setting.training), seed]),
            )
            for place, setting in enumerate(LAB)
            for seed in range(setting.repeats)
        ]


def simulate_year(seed: int, quiet: Quiet, nights: int = NIGHTS) -> int:
    """Exercises wrongly called drifted in a year of nights without drift."""
    simulated = simulate_nights(np.random.default_rng(seed), quiet)
    earlier = [next(simulated)]
    drifted: set[tuple[str, int]] = set()
    for tonight in islice(simulated, nights):
        drifted |= {
            (tonight[0].run_id, each.exercise) for each in _drifts(compare_night(tonight, earlier, drifted))
        }
        earlier = [*earlier, tonight][-MAX_RUNS:]
    return len(drifted)


def simulate_drifts(seed: int, settings: Mapping[str, float], earlier: int, new: float = 1.0) -> set[int]:
    """The exercises called drifted in a night in which some settings are off by so much (fractions)."""
    simulated = simulate_nights(np.random.default_rng(seed), Quiet("", new=new))
    before = list(islice(simulated, earlier))
    tonight = [
        replace(each, accuracy=(each.accuracy or 0.0) + settings.get(each.setting, 0.0))
        for each in next(simulated)
    ]
    return {each.exercise for each in _drifts(compare_night(tonight, before))}


def _drifts(verdicts: list[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.name == NightVerdict.DRIFTED]


def _tabulate_years(pool: ProcessPoolExecutor, years: int) -> Iterator[str]:
    yield f"| noise of {years} quiet years of {NIGHTS} nights | false alarms a year | 95% interval |"
    yield "| --- | ---: | ---: |"
    for quiet in NOISES:
        alarms = sum(pool.map(simulate_year, range(years), [quiet] * years))
        low, high = _poisson_interval(alarms)
        yield f"| {quiet.words} | {alarms / years:.2f} | {low / years:.2f} to {high / years:.2f} |"


def _tabulate_power(pool: ProcessPoolExecutor, times: int) -> Iterator[str]:
    cells = [f"ex. {number}, {nights}" for number in _EXERCISES for nights in _EARLIER]
    yield f"| found of {times} drifts, by exercise and earlier nights | {' | '.join(cells)} |"
    yield "| --- |" + " ---: |" * len(cells)
    for words, by, settings, new in _DRIFTS:
        moved = dict.fromkeys(settings, by)
        found = {
            nights: Counter(
                number
                for drifted in pool.map(
                    simulate_drifts,
                    range(times),
                    [moved] * times,
                    [nights] * times,
                    [new] * times,
                    chunksize=16,
                )
                for number in drifted
            )
            for nights in _EARLIER
        }
        shares = [found[nights][number] / times for number in _EXERCISES for nights in _EARLIER]
        yield f"| {words} | {' | '.join(f'{share:.0%}' for share in shares)} |"


_EXERCISES, _EARLIER = (2, 3, 4, 5, 6), (1, 30)
_EVERY = tuple(setting.name for setting in LAB)
_ONE = ("filters=32", "dense_units=128", "epochs=5", "learning_rate=0.001", "dropout=0.2")
"""The middle setting of each exercise."""
_DRIFTS = tuple(
    (f"{words}, {new:.0%} of the variance new", by, settings, new)
    for words, by, settings in (
        ("0.5 points less in every setting", -0.005, _EVERY),
        ("0.5 points less in the middle setting", -0.005, _ONE),
        ("20 points less in the middle setting", -0.2, _ONE),
    )
    for new in (1.0, NEW)
)


def _poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95% interval of a Poisson mean (Garwood 1936)."""
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=20, help="quiet years for each kind of noise")
    parser.add_argument("--times", type=int, default=200, help="drifted nights for each kind of drift")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor() as pool:
        for line in chain(_tabulate_years(pool, asked.years), [""], _tabulate_power(pool, asked.times)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
