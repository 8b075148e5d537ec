from study.answers import (
    SettingReadings,
    answer_images,
    answer_model,
    answer_optimum,
    answer_sweep,
)
from study.chosen_model import ChosenModel
from study.spec import SweepExercise
from tests.frames import make_chosen_model

STEADY = (0.001, -0.001, 0.002, -0.002, 0.0)


def _exercise(parameter: str, *values: float) -> SweepExercise:
    return SweepExercise(
        number=2, kind="sweep", title="T", question="Q?", parameter=parameter, values=values, repeats=5
    )


def _around(mean: float, repeats: int = 5, failed: int = 0) -> SettingReadings:
    return SettingReadings({seed: mean + STEADY[seed - 1] for seed in range(1, repeats + 1)}, failed=failed)


def _altered(**changes: object) -> ChosenModel:
    return make_chosen_model().model_copy(update=changes)


def test_a_clear_winner_is_named_with_its_mean_and_count():
    readings = {0.1: _around(0.82), 0.01: _around(0.90), 0.00001: _around(0.72)}
    answer = answer_sweep(_exercise("learning_rate", *readings), readings)
    assert answer.headline == (
        "The highest mean accuracy, 90.00% (n=5), is with learning rate 0.01, and every other value is lower."
    )


def test_the_test_and_its_correction_are_named():
    readings = {0.1: _around(0.82), 0.01: _around(0.90), 0.00001: _around(0.72)}
    answer = answer_sweep(_exercise("learning_rate", *readings), readings)
    assert answer.details == (
        "Compared by Welch's t test at the 5% level with Holm's correction over 3 pairs.",
    )


def test_values_that_cannot_be_told_apart_are_not_ranked():
    readings = {0.1: _around(0.9), 0.2: _around(0.9002), 0.3: _around(0.9001)}
    answer = answer_sweep(_exercise("dropout", *readings), readings)
    assert answer.headline.endswith("is with dropout 0.2, but 5 repeats cannot tell it from any other value.")
    assert "need not be equal: with 5 repeats a difference of 0.3 points can go unseen" in answer.details[1]


def test_values_near_the_best_are_kept_apart_from_those_below():
    readings = {8: _around(0.88), 16: _around(0.8999), 32: _around(0.9)}
    answer = answer_sweep(_exercise("filters", *readings), readings)
    assert answer.headline.endswith("is with 32 filters; 16 cannot be told from it, 8 is lower.")


def test_a_difference_that_only_an_uncorrected_test_sees_is_not_claimed():
    two = {8: _around(0.9), 16: _around(0.9025)}
    alone = answer_sweep(_exercise("filters", *two), two)
    assert alone.headline.endswith("and the other value is lower.")
    five = two | {value: _around(0.9012) for value in (32, 64, 128)}
    among_many = answer_sweep(_exercise("filters", *five), five)
    assert among_many.headline.endswith("cannot tell it from any other value.")


def test_budgets_of_epochs_are_compared_seed_by_seed():
    # Seeds differ by far more than budgets do; within each seed the longer budget is always better.
    seeds = (0.86, 0.88, 0.90, 0.92)
    short = SettingReadings(dict(enumerate(seeds)))
    long = SettingReadings({seed: mean + 0.005 + 0.0001 * seed for seed, mean in enumerate(seeds)})
    paired = answer_sweep(_exercise("epochs", 5, 10), {5: short, 10: long})
    assert paired.headline.endswith("is with 10 epochs, and the other value is lower.")
    assert "a paired t test over equal seeds" in paired.details[0]
    unpaired = answer_sweep(_exercise("filters", 5, 10), {5: short, 10: long})
    assert "cannot tell it from the other value" in unpaired.headline


def test_pairs_are_made_by_seed_where_a_trial_failed():
    seeds = (0.86, 0.88, 0.90, 0.92)
    short = SettingReadings(dict(enumerate(seeds)))
    long = SettingReadings(
        {seed: mean + 0.01 + 0.0001 * seed for seed, mean in enumerate(seeds) if seed != 0}, failed=1
    )
    answer = answer_sweep(_exercise("epochs", 5, 10), {5: short, 10: long})
    assert answer.headline.endswith("and the other value is lower.")


def test_a_single_repeat_bears_no_conclusion():
    readings = {8: _around(0.88, repeats=1), 16: _around(0.9, repeats=1)}
    answer = answer_sweep(_exercise("filters", *readings), readings)
    assert answer.headline.endswith("is with 16 filters, but a single repeat bears no conclusion.")


def test_a_single_value_has_nothing_to_be_compared_with():
    answer = answer_sweep(_exercise("epochs", 1), {1: _around(0.88)})
    assert answer.headline.endswith(
        "is with 1 epoch, the only value measured: there is nothing to compare it with."
    )


def test_nothing_is_concluded_when_every_trial_failed():
    readings = {8: SettingReadings(failed=5), 16: SettingReadings(failed=5)}
    answer = answer_sweep(_exercise("filters", *readings), readings)
    assert answer.headline == "No conclusion: every trial failed."


def test_failed_trials_are_counted_where_they_failed():
    readings = {8: _around(0.88, repeats=4, failed=1), 16: _around(0.9, repeats=3, failed=2)}
    answer = answer_sweep(_exercise("filters", *readings), readings)
    assert answer.details[-1] == "3 trials failed and are left out: 1 with 8 filters and 2 with 16 filters."


def test_a_value_without_readings_is_not_called_lower():
    readings = {8: _around(0.88), 16: _around(0.9), 32: SettingReadings(failed=5)}
    answer = answer_sweep(_exercise("filters", *readings), readings)
    assert answer.headline.endswith("and the other value that was compared is lower.")
    assert "Not compared, having fewer than two completed repeats: 32." in answer.details


def test_a_collapsed_trial_is_said_to_hide_in_the_mean():
    readings = {0.1: SettingReadings({1: 0.85, 2: 0.1, 3: 0.84}), 0.01: _around(0.9, repeats=3)}
    answer = answer_sweep(_exercise("learning_rate", *readings), readings)
    assert answer.details[-1] == (
        "With learning rate 0.1, 1 of 3 trials collapsed (at most 20.00%; guessing scores 10.00%), "
        "and the mean hides that."
    )


def test_a_collapse_does_not_make_the_least_visible_difference_absurd():
    readings = {0.1: SettingReadings({1: 0.85, 2: 0.1, 3: 0.84}), 0.01: _around(0.9, repeats=3)}
    answer = answer_sweep(_exercise("learning_rate", *readings), readings)
    assert "can go unseen" not in " ".join(answer.details)


def test_settings_that_all_collapsed_to_the_same_score_are_compared_without_a_warning():
    flat = SettingReadings({1: 0.1, 2: 0.1, 3: 0.1})
    answer = answer_sweep(_exercise("learning_rate", 1, 2), {1: flat, 2: flat})
    assert "cannot tell it from the other value" in answer.headline


def test_constant_readings_that_differ_are_different():
    readings = {1: SettingReadings({1: 0.1, 2: 0.1}), 2: SettingReadings({1: 0.2, 2: 0.2})}
    answer = answer_sweep(_exercise("learning_rate", 1, 2), readings)
    assert answer.headline.endswith("is with learning rate 2, and the other value is lower.")


def test_the_optimum_of_one_run_has_no_interval():
    candidates = {"published": SettingReadings({1: 0.87}), "combination": SettingReadings({1: 0.915})}
    answer = answer_optimum(candidates, "combination", "held-out")
    assert answer.headline == (
        "Of 2 candidates, 'combination' was kept on validation accuracy; "
        "its test accuracy is 91.50% (one run, no interval)."
    )
    assert answer.details == (
        "On test the others score: 'published' 87.00%; the differences are not tested.",
    )


def test_the_optimum_says_where_its_score_was_also_chosen():
    answer = answer_optimum({"combination": SettingReadings({1: 0.915})}, "combination", "lab")
    assert "The test images are the validation images here" in answer.details[-1]


def test_there_is_no_optimum_when_no_candidate_was_trained():
    answer = answer_optimum({"published": SettingReadings(failed=1)}, None, "lab")
    assert answer.headline == "No optimum: no candidate was trained to its end."
    assert answer.details == ("1 trial failed and is left out: 1 with published.",)


def test_a_saved_model_that_is_the_same_when_loaded_is_said_to_be():
    answer = answer_model(make_chosen_model())
    assert answer.headline == (
        "Yes: loaded again, the model gives the same outputs on every test image, and test image 0 "
        "(Ankle boot) is classified as Ankle boot with probability 0.9850, which is right."
    )
    assert "Its commonest mistake is T-shirt/top taken for Shirt: 106 of 1,000." in answer.details


def test_a_saved_model_that_differs_when_loaded_is_said_to():
    answer = answer_model(_altered(files_agree=False, reloaded_test_accuracy=0.5))
    assert answer.headline.startswith("Not the same model: loaded again, its outputs differ")
    assert "50.00% after loading" in answer.details[0]


def test_a_wrong_prediction_is_called_wrong():
    image = make_chosen_model().new_image.model_copy(update={"predicted_class": "Sneaker"})
    answer = answer_model(_altered(new_image=image))
    assert answer.headline.endswith("is classified as Sneaker with probability 0.0110, which is wrong.")


def test_a_model_without_mistakes_has_no_commonest_one():
    perfect = tuple(tuple(10 * (row == column) for column in range(10)) for row in range(10))
    assert len(answer_model(_altered(confusion=perfect)).details) == 1


def test_a_run_without_a_saved_model_says_so():
    assert answer_model(None).headline == "No model was saved in this run."


def test_images_that_were_not_drawn_are_not_described():
    assert answer_images(drawn=False).headline == "The images were not drawn in this run."
    assert "28 by 28 grey pixels" in answer_images(drawn=True).headline
