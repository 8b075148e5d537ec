"""Recompute a run's summary and comparisons from `trials.parquet`, with pandas and SciPy alone.

`python -m tests.recomputed RESULTS [RUN]` prints each number that differs, and exits with 1 if one does.
"""

import math
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats


def find_differences(results: Path, run: str) -> Iterator[str]:
    """Yield each number of `summary` and `comparisons` that is not what the trials say."""
    trials = _read(results, "trials", run)
    done = trials[trials["status"] == "completed"]
    for row in _read(results, "summary", run).to_dict("records"):
        mine = done[(done["exercise"] == row["exercise"]) & (done["setting"] == row["setting"])]
        yield from _differing(f"{row['exercise']} {row['setting']}", row, _summary(mine["test_accuracy"]))
    compared = _read(results, "comparisons", run)
    for exercise, rows in compared.groupby("exercise"):
        mine = done[done["exercise"] == exercise]
        readings = {value: of.set_index("seed")["test_accuracy"] for value, of in mine.groupby("value")}
        several = {value: each for value, each in readings.items() if len(each) > 1}
        is_paired = rows["test"].iloc[0] == "paired t"
        expected = _paired(several) if is_paired else _games_howell(several)
        for row in rows.to_dict("records"):
            pair = row["first_value"], row["second_value"]
            yield from _differing(f"{exercise} {pair}", row, _turned(expected, pair))


def _read(results: Path, table: str, run: str) -> pd.DataFrame:
    return pd.read_parquet(results / "tables" / table / f"run={run}" / "part-0.parquet", partitioning=None)


def _summary(readings: pd.Series) -> dict[str, float]:
    found = {"trials": len(readings), "mean_accuracy": readings.mean()}
    if len(readings) > 1:
        found["sd_accuracy"] = readings.std()
    if readings.nunique() > 1:
        half = stats.t.ppf(0.975, len(readings) - 1) * readings.sem()
        found |= {"low_accuracy": readings.mean() - half, "high_accuracy": readings.mean() + half}
    return found


Pairs = dict[tuple[float, float], dict[str, float]]


def _games_howell(readings: dict[float, pd.Series]) -> Pairs:
    """Return difference and corrected p value of each pair; the best is compared step by step."""
    best = max(readings, key=lambda value: readings[value].mean())
    tests = {pair: stats.ttest_ind(readings[pair[1]], readings[pair[0]], equal_var=False)
             for pair in combinations(readings, 2)}  # fmt: skip

    def corrected(pair: tuple[float, float], settings: int) -> float:
        test = tests[pair]
        return float(stats.studentized_range.sf(math.sqrt(2) * abs(test.statistic), settings, test.df))

    p_values = {pair: corrected(pair, len(readings)) for pair in tests if best not in pair}
    left, settings, largest = [pair for pair in tests if best in pair], len(readings), 0.0
    while left:
        pair = min(left, key=lambda each: corrected(each, settings))
        largest = p_values[pair] = max(largest, corrected(pair, settings))
        left.remove(pair)
        settings -= largest <= 0.05
    return {pair: {"difference": readings[pair[1]].mean() - readings[pair[0]].mean(), "p_value": test.pvalue,
                   "adjusted_p_value": p_values[pair]} for pair, test in tests.items()}  # fmt: skip


def _paired(readings: dict[float, pd.Series]) -> Pairs:
    """Return the same of budgets of epochs, by seed: with the longest in order, the others by Holm."""
    longest, found = max(readings), Pairs()
    for first, second in combinations(sorted(readings), 2):
        by_seed = (readings[second] - readings[first]).dropna()
        found[first, second] = {"difference": by_seed.mean(), "p_value": stats.ttest_1samp(by_seed, 0).pvalue}
    largest = 0.0
    for pair in sorted(pair for pair in found if longest in pair):
        largest = found[pair]["adjusted_p_value"] = max(largest, found[pair]["p_value"])
    others = sorted((pair for pair in found if longest not in pair), key=lambda pair: found[pair]["p_value"])
    largest = 0.0
    number = len(others)
    for pair in others:
        largest = found[pair]["adjusted_p_value"] = max(largest, min(1.0, number * found[pair]["p_value"]))
        number -= largest <= 0.05
    return found


def _turned(expected: Pairs, pair: tuple[float, float]) -> dict[str, float]:
    if pair in expected:
        return expected[pair]
    other = expected[pair[1], pair[0]]
    return {**other, "difference": -other["difference"]}


def _differing(where: str, row: dict[str, float], expected: dict[str, float]) -> Iterator[str]:
    for name, value in expected.items():
        if not np.isclose(row[name], value, rtol=1e-6, atol=1e-9):
            yield f"{where}: {name} is {row[name]}, recomputed {value}"


def main() -> None:
    """Recompute a run, the latest if none is named."""
    results, *named = sys.argv[1:]
    runs = sorted(path.name.removeprefix("run=") for path in Path(results, "tables", "runs").iterdir())
    wrong = list(find_differences(Path(results), *(named or runs[-1:])))
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
