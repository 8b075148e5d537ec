import pytest

from study.records.readings import SettingReadings, collapse_at


@pytest.mark.parametrize(("classes", "accuracy"), [(2, 0.55), (3, 0.4), (10, 0.2), (100, 0.02)])
def test_a_training_has_collapsed_where_guessing_is_near(classes: int, accuracy: float):
    assert collapse_at(classes) == pytest.approx(accuracy)
    readings = SettingReadings({1: accuracy + 0.01, 2: accuracy - 0.001}, classes=classes)
    assert readings.collapsed == 1
