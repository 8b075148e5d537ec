"""A row trained again: equal, within tolerance or not, and the first input that differs."""

import pytest

from study.conclusions.replay import (
    TOLERANCE,
    UNSTABLE_TOLERANCE,
    Readings,
    Recipe,
    judge,
    list_differences,
    tolerance_of,
    why_not_trained,
)
from tests.rows import make_training

READINGS = Readings(
    epochs_run=5,
    weights_sha256="a" * 64,
    train_loss=0.4,
    train_accuracy=0.85,
    validation_loss=0.4,
    validation_accuracy=0.88,
    test_loss=0.4,
    test_accuracy=0.88,
)
INPUTS = {
    "data fingerprint": "d" * 64, "model version": "2", "engine": "native", "kind of device": "CPU",
    "compiler": "GCC 12", "NumPy": "2.4", "Python": "3.11", "device": "CPU", "processor": "A processor",
    "git commit": "c" * 40, "uncommitted changes": "no", "lock file": "f" * 64,
}  # fmt: skip
ELSEWHERE = {**INPUTS, "processor": "Another processor"}


def make_recipe(rate: float = 0.01, images: int = 10_000, **changes: object) -> Recipe:
    training = make_training(ends=(5,), learning_rate=rate)
    facts = {"trial": "4/epochs=5/1", "key": training.key, "training": training, "recorded": READINGS}
    facts |= {"inputs": INPUTS, "train_images": 60_000, "test_images": images, "seconds": 1.0}
    return Recipe(**{**facts, **changes})


def read(by: float = 0.0, weights: str = "b") -> Readings:
    update = {"weights_sha256": weights * 64, "test_accuracy": READINGS.test_accuracy + by}
    return READINGS.model_copy(update=update)


def test_equal_is_every_reading_to_the_bit_whatever_input_differs():
    assert judge(make_recipe(), INPUTS, READINGS).verdict == "equal"
    assert judge(make_recipe(), ELSEWHERE, READINGS).verdict == "equal"


def test_other_weights_by_the_same_inputs_differ_however_near_the_accuracy():
    found = judge(make_recipe(), INPUTS, read())
    assert found.verdict == "differs"
    assert found.reason == "weights_sha256 was aaaaaaaaaa…, now bbbbbbbbbb…, and no recorded input differs"


def test_an_accuracy_that_the_same_weights_do_not_give_differs():
    found = judge(make_recipe(), INPUTS, read(0.001, weights="a"))
    assert (found.verdict, found.reason.partition(",")[0]) == ("differs", "test_accuracy was 0.88")


@pytest.mark.parametrize("sign", [1, -1])
def test_elsewhere_accuracies_may_be_the_tolerance_apart_and_no_more(sign: int):
    near = judge(make_recipe(), ELSEWHERE, read(sign * (TOLERANCE - 1e-6)))
    far = judge(make_recipe(), ELSEWHERE, read(sign * (TOLERANCE + 1e-6)))
    assert (near.verdict, far.verdict) == ("within tolerance", "differs")
    assert "first differing input: processor: A processor → Another processor" in near.reason
    assert f"{100 * TOLERANCE:.2f} are allowed" in far.reason


def test_the_validation_accuracy_is_judged_too():
    update = {"weights_sha256": "b" * 64, "validation_accuracy": 0.88 + 2 * TOLERANCE}
    assert judge(make_recipe(), ELSEWHERE, READINGS.model_copy(update=update)).verdict == "differs"


def test_a_learning_rate_at_which_trainings_collapse_allows_more():
    assert tolerance_of(make_recipe()) == tolerance_of(make_recipe(rate=0.05)) == TOLERANCE
    assert tolerance_of(make_recipe(rate=0.1)) == UNSTABLE_TOLERANCE > TOLERANCE
    assert (TOLERANCE, UNSTABLE_TOLERANCE) == (0.015, 0.1), "as benchmarks/replay.py has seen"


def test_inputs_are_named_in_the_order_in_which_they_matter():
    other = {
        "lock file": "e" * 64, "git commit": "not recorded", "uncommitted changes": "yes",
        "data fingerprint": "e" * 64, "model version": "3", "engine": "tensorflow",
        "kind of device": "GPU", "device": "GPU A", "processor": "Another", "TensorFlow": "2.21",
        "NumPy": "2.5", "Python": "3.12", "vectors": "AVX2", "jax": "1",
    }  # fmt: skip
    assert [each.name for each in list_differences(INPUTS, other)] == [
        *("data fingerprint", "model version", "engine", "kind of device", "TensorFlow", "compiler"),
        *("vectors", "NumPy", "Python", "device", "processor", "git commit", "uncommitted changes"),
        *("lock file", "jax"),
    ]
    assert list_differences(INPUTS, INPUTS) == ()


@pytest.mark.parametrize("name", ["data fingerprint", "model version", "engine", "kind of device"])
def test_what_would_be_another_training_is_not_trained_and_what_differs_only_in_where_it_trains_is(name: str):
    refused = why_not_trained(make_recipe(), {**INPUTS, name: "other"})
    assert refused.startswith(f"not trained, as it would be another training: {name}: ")
    assert why_not_trained(make_recipe(), ELSEWHERE) == ""


def test_tables_that_contradict_each_other_are_not_trained():
    contradictory = make_recipe(faults=("seed is 1 in `trials` and 2 in `trainings`",))
    reason = "contradictory: seed is 1 in `trials` and 2 in `trainings`"
    assert why_not_trained(contradictory, INPUTS) == reason


def test_a_training_that_failed_differs_with_its_reason():
    failed = judge(make_recipe(), INPUTS, None, "not trained: LaneDied: lane-0 died")
    assert (failed.verdict, failed.found) == ("differs", None)
    assert failed.reason == "not trained: LaneDied: lane-0 died"


def test_the_reason_says_how_far_apart_the_accuracies_are():
    assert judge(make_recipe(), ELSEWHERE, READINGS).reason == ""
    assert judge(make_recipe(), ELSEWHERE, read(0.02)).reason == (
        "accuracies are 2.00 points apart, 1.50 are allowed; weights_sha256 was aaaaaaaaaa…, now "
        "bbbbbbbbbb…; first differing input: processor: A processor → Another processor"
    )
    collapsed = judge(make_recipe(rate=0.1), ELSEWHERE, read(-0.5))
    assert collapsed.reason.startswith("accuracies are 50.00 points apart, 10.00 are allowed; ")
    assert (collapsed.tolerance, collapsed.seed, collapsed.trial) == (0.1, 1, "4/epochs=5/1")
