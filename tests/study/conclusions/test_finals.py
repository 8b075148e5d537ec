"""The finals: the kept candidate against the others, compared as the settings of a sweep."""

import numpy as np
import pytest
from scipy import stats

from study.conclusions.optimum_answer import rank_finalists
from study.records.readings import SettingReadings

COSTS = {"large": 400, "small": 100, "baseline": 50}


def draw(mean: float, seed: int, deviation: float = 0.003) -> SettingReadings:
    random = np.random.default_rng(seed)
    return SettingReadings({each: float(random.normal(mean, deviation)) for each in range(10)})


@pytest.fixture(scope="module")
def readings() -> dict[str, SettingReadings]:
    return {"large": draw(0.915, 1), "small": draw(0.9145, 2), "baseline": draw(0.89, 3)}


def test_the_gain_is_the_kept_ones_mean_less_the_others(readings: dict[str, SettingReadings]):
    finals = rank_finalists(readings, "large", COSTS)
    by_name = {each.name: each for each in finals.all}
    assert list(by_name) == ["large", "small", "baseline"]
    assert finals.kept.name == "large"
    baseline = by_name["baseline"]
    assert baseline.gain == pytest.approx(readings["large"].mean - readings["baseline"].mean)
    assert baseline.low < baseline.gain < baseline.high
    assert not baseline.is_as_good


def test_the_p_value_is_welchs_corrected_for_three_candidates_at_most(readings: dict[str, SettingReadings]):
    found = rank_finalists(readings, "large", COSTS).all[1].adjusted_p_value
    large, small = (list(readings[name].test.values()) for name in ("large", "small"))
    alone = stats.ttest_ind(large, small, equal_var=False).pvalue
    assert alone <= found <= 3 * alone + 1e-12


def test_the_cheapest_of_those_that_cannot_be_told_apart_is_named(readings: dict[str, SettingReadings]):
    assert rank_finalists(readings, "large", COSTS).cheapest.name == "small"
    assert rank_finalists(readings, "large", {**COSTS, "small": 500}).cheapest.name == "large"


def test_single_readings_are_not_compared():
    single = {"large": SettingReadings({1: 0.9}), "small": SettingReadings({1: 0.8})}
    finals = rank_finalists(single, "large", COSTS)
    assert finals.pairs == 0
    assert [each.is_as_good for each in finals.all] == [True, False]
    assert finals.cheapest.name == "large"


@pytest.mark.parametrize("kept", ["large", "baseline"])
def test_the_interval_is_of_the_kept_one_less_the_other_whichever_comes_first(
    readings: dict[str, SettingReadings], kept: str
):
    for each in rank_finalists(readings, kept, COSTS).all:
        if each.is_kept:
            continue
        ours, others = (list(readings[name].test.values()) for name in (kept, each.name))
        welch = stats.ttest_ind(ours, others, equal_var=False)
        # The best and the second best are compared last, when only two are left.
        settings = 2 if {kept, each.name} == {"large", "small"} else 3
        critical = stats.studentized_range.ppf(0.95, settings, welch.df) / 2**0.5
        half = critical * each.gain / welch.statistic
        assert (each.low, each.high) == pytest.approx((each.gain - half, each.gain + half), rel=1e-4)
