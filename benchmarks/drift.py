"""Simulate quiet years and injected drifts: how often a night is called drifted, rightly and wrongly.

Run it with `.venv/bin/python -m benchmarks.drift` (half an hour on two cores; no TensorFlow): it prints the
tables that stand in the README. In the quiet years every night's weights are new, as they never are on one
machine without changes, and nothing has drifted. The real comparison judges night after night, with its
window of earlier runs and its fresh start after a drift.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from math import sqrt

import numpy as np
from scipy.stats import chi2

from study.drift import MOST_RUNS, NightReading, Verdict, compare_night

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


NOISES: Mapping[str, tuple[Noise, int]] = {
    "normal": (normal, 0),
    "heavy-tailed (t, 3 degrees of freedom)": (heavy_tailed, 0),
    f"normal, and 1 training in {ONE_IN} collapses by {100 * COLLAPSE:.0f} points": (normal, ONE_IN),
}


def simulate_night(
    random: np.random.Generator, run_id: str, noise: Noise = normal, one_in: int = 0
) -> list[NightReading]:
    """Every trial of a night whose weights are all new: half of a reading's variance is its training's."""
    shared = noise(random, len(TRAININGS))
    collapses = random.random((len(TRAININGS), SEEDS)) < (1 / one_in if one_in else 0.0)
    readings = []
    for setting in LAB:
        place = TRAININGS.index(setting.training)
        own = noise(random, 1)[0]
        scores = 0.9 + setting.spread / 100 * (shared[place] + own) / sqrt(2) - COLLAPSE * collapses[place]
        readings += [
            NightReading(
                run_id, setting.exercise, setting.name, setting.name, seed, f"{setting.training} {seed}",
                f"{run_id} {setting.name} {seed}", float(scores[seed]),
            )
            for seed in range(setting.repeats)
        ]  # fmt: skip
    return readings


def simulate_year(seed: int, noise: str, nights: int = NIGHTS) -> int:
    """Exercises wrongly called drifted in a year of nights without drift."""
    draw, one_in = NOISES[noise]
    random = np.random.default_rng(seed)
    earlier = [simulate_night(random, "night 0", draw, one_in)]
    drifted: set[tuple[str, int]] = set()
    for number in range(1, nights + 1):
        tonight = simulate_night(random, f"night {number}", draw, one_in)
        verdicts = compare_night(tonight, earlier, drifted)
        drifted |= {(f"night {number}", each.exercise) for each in _drifts(verdicts)}
        earlier = [*earlier, tonight][-MOST_RUNS:]
    return len(drifted)


def simulate_drifts(seed: int, settings: Mapping[str, float], earlier: int) -> set[int]:
    """The exercises called drifted in a night in which some settings are off by so much (fractions)."""
    random = np.random.default_rng(seed)
    before = [simulate_night(random, f"night {number}") for number in range(earlier)]
    tonight = [
        replace(each, accuracy=(each.accuracy or 0.0) + settings.get(each.setting, 0.0))
        for each in simulate_night(random, "tonight")
    ]
    return {each.exercise for each in _drifts(compare_night(tonight, before))}


def _drifts(verdicts: list[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.name == "drifted"]


def _tabulate_years(pool: ProcessPoolExecutor, years: int) -> Iterator[str]:
    yield f"| noise of {years} quiet years of {NIGHTS} nights | false alarms a year | 95% interval |"
    yield "| --- | ---: | ---: |"
    for noise in NOISES:
        alarms = sum(pool.map(simulate_year, range(years), [noise] * years))
        low, high = _poisson_interval(alarms)
        yield f"| {noise} | {alarms / years:.2f} | {low / years:.2f} to {high / years:.2f} |"


def _tabulate_power(pool: ProcessPoolExecutor, times: int) -> Iterator[str]:
    cells = [f"ex. {number}, {nights}" for number in _EXERCISES for nights in _EARLIER]
    yield f"| found of {times} drifts, by exercise and earlier nights | {' | '.join(cells)} |"
    yield "| --- |" + " ---: |" * len(cells)
    for words, by, settings in _DRIFTS:
        moved = dict.fromkeys(settings, by)
        found = {
            nights: Counter(
                number
                for drifted in pool.map(
                    simulate_drifts, range(times), [moved] * times, [nights] * times, chunksize=16
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
_DRIFTS = (
    ("0.5 points less in every setting", -0.005, _EVERY),
    ("0.5 points less in the middle setting", -0.005, _ONE),
    ("20 points less in the middle setting", -0.2, _ONE),
)


def _poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95% interval of a Poisson mean (Garwood 1936)."""
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=100, help="quiet years for each kind of noise")
    parser.add_argument("--times", type=int, default=1000, help="drifted nights for each kind of drift")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor() as pool:
        for line in chain(_tabulate_years(pool, asked.years), [""], _tabulate_power(pool, asked.times)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
