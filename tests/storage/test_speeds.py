import pytest

from storage.results import Results
from storage.run_starts import read_speeds, save_speeds
from study.plan.cost import Speed
from study.spec.setting import Hyperparameters

SPEEDS = tuple(
    Speed(
        hyperparameters=Hyperparameters(filters=filters), train_seconds=filters / 1e6, evaluation_seconds=1e-5
    )
    for filters in (8, 64)
)


def test_what_was_measured_of_a_machine_is_read_for_that_machine_only(any_results: Results):
    save_speeds(any_results, "one machine", SPEEDS)
    assert read_speeds(any_results, "one machine") == SPEEDS
    assert read_speeds(any_results, "another machine") == ()


def test_damaged_measurements_are_told_of_and_count_as_none(
    results: Results, caplog: pytest.LogCaptureFixture
):
    save_speeds(results, "one machine", SPEEDS)
    (path,) = results.speeds.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    assert read_speeds(results, "one machine") == ()
    assert f"{path} is damaged and is measured again" in caplog.text
