"""The answer to the optimum exercise: what was kept, what it gains, what it cost; and no more."""

import numpy as np

from study.conclusions.answers import Answer
from study.conclusions.optimum_answer import (
    LEAK_FROM,
    LEAK_FROM_AUGMENTED,
    Candidates,
    SearchCost,
    answer_optimum,
    describe_search,
    rank_finalists,
)
from study.records.readings import Curve, SettingReadings
from study.spec.study_file import read_study

COSTS = {"finalist 1": 400, "frugal finalist": 100, "published": 300, "combination": 300}


def draw(mean: float, seed: int) -> SettingReadings:
    random = np.random.default_rng(seed)
    return SettingReadings({each: float(random.normal(mean, 0.002)) for each in range(10)})


LAB = read_study("lab")
SETTINGS = {
    name: LAB.baseline.with_changes({"filters": filters, "epochs": 20})
    for filters, name in enumerate(COSTS, start=8)
}


def answer(protocol: str = "held-out", curve: Curve | None = None, **readings: SettingReadings) -> Answer:
    named = {name.replace("_", " "): each for name, each in readings.items()}
    kept = max(named, key=lambda name: named[name].mean)
    study = LAB.model_copy(update={"protocol": protocol})
    return answer_optimum(study, rank_finalists(named, kept, COSTS), Candidates(named, SETTINGS, curve))


def test_the_optimal_values_come_first_and_how_they_were_found():
    told = answer(published=SettingReadings({1: 0.87}), combination=SettingReadings({1: 0.915}))
    assert told.headline == (
        "Best of 2 candidates: 11 filters, kernel 3 x 3 (not varied), 16 units, dropout 0, learning rate "
        "0.01 and 20 epochs, with 91.50% (one training)."
    )
    assert LAB.optimum is not None
    assert told.details == (
        "This is the candidate 'combination'.",
        "'combination' joins the best values, by validation accuracy, of Exercises 2, 3, 4, 5 and 6.",
        LAB.optimum.note,
        "'published' reaches 87.00% (one training); the differences are not tested.",
    )
    assert told.limits == ()


def test_a_value_beyond_those_asked_for_is_named_where_it_is_not_the_baselines():
    settings = {"combination": LAB.baseline.with_changes({"schedule": "cosine", "momentum": 0.8})}
    named = {"combination": SettingReadings({1: 0.915})}
    finals = rank_finalists(named, "combination", COSTS)
    headline = answer_optimum(LAB, finals, Candidates(named, settings)).headline
    assert "momentum 0.8 (not varied), schedule cosine (not varied) and 5 epochs" in headline


def test_a_kept_model_that_overfits_is_said_to():
    curve = Curve((0.5, 0.24, 0.30), 0.976)
    told = answer(curve=curve, combination=SettingReadings({1: 0.915}))
    assert "Validation loss is lowest after 2 epochs (0.24) and rises to 0.30 after 3" in told.details[-1]


def test_on_the_test_set_the_score_was_chosen_too():
    told = answer("lab", combination=SettingReadings({1: 0.915}))
    assert told.limits == (
        "As in the published lab, models were chosen on the test images, so this figure is slightly "
        "optimistic.",
    )


def test_without_a_trained_candidate_there_is_no_optimum():
    failed = {"published": SettingReadings(failed=1)}
    alone = answer_optimum(LAB, None, Candidates(failed, SETTINGS))
    assert alone.details == ("1 trial failed and is left out: 1 with published.",)
    failed["combination"] = SettingReadings(failed=2)
    told = answer_optimum(LAB, None, Candidates(failed, SETTINGS))
    assert told.headline == "No optimum: no candidate was trained to its end."
    assert told.details == ("3 trials failed and are left out: 1 with published and 2 with combination.",)


def test_a_cheaper_candidate_that_cannot_be_told_apart_is_named_without_calling_it_equal():
    told = answer(finalist_1=draw(0.915, 1), frugal_finalist=draw(0.9149, 2))
    assert told.details[4] == (
        "The cheapest candidate that does not differ significantly from it is 'frugal finalist', with 75% "
        "fewer multiply-adds an image; the two need not be equal."
    )


def test_where_all_cheaper_ones_are_worse_it_says_so():
    told = answer(finalist_1=draw(0.915, 1), frugal_finalist=draw(0.89, 2))
    assert told.details[4].startswith("No cheaper candidate is as good as the kept one")


def test_an_accuracy_that_is_too_good_is_suspected_of_a_leak():
    assert not any("suspect" in each for each in answer(finalist_1=draw(LEAK_FROM - 0.01, 1)).details)
    assert (
        "suspect that test images have taken part" in answer(finalist_1=draw(LEAK_FROM + 0.01, 1)).details[-1]
    )


def test_with_augmentation_more_is_believed_and_the_suspicion_says_so():
    named = {"finalist 1": draw(LEAK_FROM + 0.005, 1), "published": draw(0.9, 2)}
    finals = rank_finalists(named, "finalist 1", COSTS)

    def details(augmented: str) -> str:
        flipped = SETTINGS[augmented].with_changes({"augmentation": "flip"})
        found = Candidates(named, SETTINGS | {augmented: flipped})
        return " ".join(answer_optimum(LAB, finals, found).details)

    assert "known to reach on this data without augmentation" in details("published")
    assert "suspect" not in details("finalist 1")
    named = {"finalist 1": draw(LEAK_FROM_AUGMENTED + 0.005, 1)}
    finals = rank_finalists(named, "finalist 1", COSTS)
    assert "93.60% and more is above what such networks are known to reach" in details("finalist 1")
    assert "on this data with augmentation: suspect" in details("finalist 1")


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
    gain, low, high = (f"+{100 * each:.2f}" for each in (other.gain, other.low, other.high))
    told = answer(finalist_1=draw(0.915, 1), published=draw(0.90, 2))
    assert told.details[3] == (
        f"It gains {gain} points on 'published' ({low} to {high}, p below 0.001); intervals are 95%."
    )
    assert "% (mean of 10 trainings, 95% interval 91." in told.headline
    three = answer(finalist_1=draw(0.915, 1), published=draw(0.90, 2), frugal_finalist=draw(0.91, 3))
    assert three.details[3].endswith("; intervals are 95%, corrected for the number of candidates.")
    assert told.limits == (
        "Which candidate is kept is read from the validation accuracies of these same runs: where two are "
        "nearly equal, luck helps to choose, and a little of it is in the kept one's test accuracy too.",
    )
