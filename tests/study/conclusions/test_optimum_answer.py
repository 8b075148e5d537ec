"""The answer to the optimum exercise: what was kept, what it gains, what it cost; and no more."""

import numpy as np

from study.conclusions.optimum_answer import (
    LEAK_FROM,
    LEAK_FROM_AUGMENTED,
    SearchCost,
    answer_optimum,
    describe_search,
    rank_finalists,
)
from study.records.readings import SettingReadings

COSTS = {"finalist 1": 400, "frugal finalist": 100, "published": 300, "combination": 300}


def draw(mean: float, seed: int) -> SettingReadings:
    random = np.random.default_rng(seed)
    return SettingReadings({each: float(random.normal(mean, 0.002)) for each in range(10)})


def answer(protocol: str = "held-out", **readings: SettingReadings):
    named = {name.replace("_", " "): each for name, each in readings.items()}
    kept = max(named, key=lambda name: named[name].mean)
    return answer_optimum(rank_finalists(named, kept, COSTS), named, protocol)


def test_one_run_each_has_no_interval_and_no_test():
    told = answer(published=SettingReadings({1: 0.87}), combination=SettingReadings({1: 0.915}))
    assert told.headline == (
        "Of 2 candidates, 'combination' was kept on validation accuracy; "
        "its test accuracy is 91.50% (one run, no interval)."
    )
    assert told.details == ("On test the others score: 'published' 87.00%; the differences are not tested.",)
    assert told.limits == ()


def test_on_the_test_set_the_score_was_chosen_too():
    told = answer("lab", combination=SettingReadings({1: 0.915}))
    assert told.limits == (
        "The test images are the validation images here: the kept score was chosen too and tends to be high.",
    )


def test_without_a_trained_candidate_there_is_no_optimum():
    told = answer_optimum(None, {"published": SettingReadings(failed=1)}, "lab")
    assert told.headline == "No optimum: no candidate was trained to its end."
    assert told.details == ("1 trial failed and is left out: 1 with published.",)


def test_the_gain_is_told_with_its_interval_and_how_it_is_corrected():
    told = answer(finalist_1=draw(0.915, 1), published=draw(0.90, 2))
    assert "% (mean of 10 runs, 95% interval 91." in told.headline
    assert told.details[0].startswith("It gains +1.5")
    assert "points on 'published' (" in told.details[0]
    assert told.details[0].endswith("The interval is 95%, p Welch's.")
    three = answer(finalist_1=draw(0.915, 1), published=draw(0.90, 2), frugal_finalist=draw(0.91, 3))
    assert "hold for all 3 pairs of candidates at once, p is corrected for all" in three.details[0]


def test_a_cheaper_candidate_that_cannot_be_told_apart_is_named_without_calling_it_equal():
    told = answer(finalist_1=draw(0.915, 1), frugal_finalist=draw(0.9149, 2))
    assert told.details[1] == (
        "The cheapest candidate that does not differ significantly from it is 'frugal finalist', with 75% "
        "fewer multiply-adds an image; the two need not be equal."
    )


def test_where_all_cheaper_ones_are_worse_it_says_so():
    told = answer(finalist_1=draw(0.915, 1), frugal_finalist=draw(0.89, 2))
    assert told.details[1].startswith("No cheaper candidate is as good as the kept one")


def test_an_accuracy_that_is_too_good_is_suspected_of_a_leak():
    assert not any("suspect" in each for each in answer(finalist_1=draw(LEAK_FROM - 0.01, 1)).details)
    assert (
        "suspect that test images have taken part" in answer(finalist_1=draw(LEAK_FROM + 0.01, 1)).details[-1]
    )


def test_with_augmentation_more_is_believed_and_the_suspicion_says_so():
    named = {"finalist 1": draw(LEAK_FROM + 0.005, 1), "published": draw(0.9, 2)}
    finals = rank_finalists(named, "finalist 1", COSTS)

    def details(augmented: set[str]) -> str:
        return " ".join(answer_optimum(finals, named, "held-out", augmented).details)

    assert "known to reach on this data without augmentation" in details({"published"})
    assert "suspect" not in details({"finalist 1"})
    named = {"finalist 1": draw(LEAK_FROM_AUGMENTED + 0.005, 1)}
    finals = rank_finalists(named, "finalist 1", COSTS)
    assert "93.60% and more is above what such networks are known to reach" in details({"finalist 1"})
    assert "on this data with augmentation: suspect" in details({"finalist 1"})


def test_a_search_says_how_many_it_tried_and_what_that_took():
    told = describe_search(SearchCost(40, 30, 5, 200, 600.0))
    assert told == (
        "The search tried 40 configurations, besides 5 settings of the sweeps, which were free; 30 of its "
        "own were stopped early. It took 200 epochs, 10 min 00 s of one thread."
    )


def test_the_gain_and_its_interval_are_those_of_the_finals():
    named = {"finalist 1": draw(0.915, 1), "published": draw(0.90, 2)}
    finals = rank_finalists(named, "finalist 1", COSTS)
    other = finals.all[1]
    low, high = (f"+{100 * end:.2f}" for end in (other.low, other.high))
    assert answer_optimum(finals, named, "held-out").details[0] == (
        f"It gains +{100 * other.gain:.2f} points on 'published' ({low} to {high}, p below 0.001). "
        "The interval is 95%, p Welch's."
    )
    assert answer_optimum(finals, named, "held-out").limits == (
        "Which candidate is kept is read from the validation accuracies of these same runs: where two are "
        "nearly equal, luck helps to choose, and a little of it is in the kept one's test accuracy too.",
        "All this holds for one test set: other images would move all candidates together.",
    )


def test_a_candidate_that_failed_is_named_as_one():
    failed = {"published": SettingReadings(failed=2), "combination": SettingReadings({1: 0.9}, failed=1)}
    told = answer_optimum(None, failed, "lab")
    assert told.details == ("3 trials failed and are left out: 2 with published and 1 with combination.",)
