"""Temperatures and calibration errors, on outputs whose truth is known."""

import numpy as np
import pytest

from study.conclusions.chosen_model import calibrate_crosswise, calibration_error, fit_temperature, soften


def draw(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Outputs that are as much too sure as their temperature says, and labels drawn from the true ones."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (count, 10))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > random.uniform(size=(count, 1))).argmax(axis=1)
    return soften(true, 1 / temperature), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_outputs_too_sure_is_found(temperature: float):
    probabilities, labels = draw(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.04)


def test_the_error_is_the_gap_between_confidence_and_accuracy():
    sure = np.tile([0.9, 0.1], (100, 1))
    labels = np.array([0] * 60 + [1] * 40)
    assert calibration_error(sure, labels) == pytest.approx(0.3)


def test_softening_keeps_the_likeliest_class_and_sums_to_one():
    probabilities, _ = draw(2.5, 500)
    softened = soften(probabilities.astype(np.float32), 1.7)
    assert (softened.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert softened.sum(axis=1) == pytest.approx(np.ones(500))
    assert (softened.max(axis=1) < probabilities.max(axis=1)).all()


def test_a_temperature_of_one_changes_nothing_even_where_a_probability_is_zero():
    probabilities = np.array([[1.0, 0.0], [0.25, 0.75]])
    assert soften(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-9)


def test_crosswise_each_half_is_judged_by_the_other_ones_temperature():
    probabilities, labels = draw(2.5)
    temperature, before, after = calibrate_crosswise(probabilities, labels)
    assert temperature == pytest.approx(2.5, rel=0.04)
    assert before > 0.1
    assert after < 0.02
