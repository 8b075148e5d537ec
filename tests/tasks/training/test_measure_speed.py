import pytest

from study.plan.cost import Amount
from study.spec.setting import Hyperparameters
from tasks.lanes.local import InProcessLane
from tasks.training.plan import measure_speed, measure_speeds
from tests.engines import ENGINE

FEW = Amount(train_images=320, evaluation_images=200)


def test_a_shape_is_measured_in_seconds_an_image():
    speed, _ = measure_speed(ENGINE, Hyperparameters(filters=4, dense_units=8), FEW)
    assert 1e-8 < speed.evaluation_seconds < speed.train_seconds < 0.1


def test_shapes_are_measured_on_the_lanes_in_their_order():
    shapes = [Hyperparameters(filters=filters, dense_units=8) for filters in (4, 2, 3)]
    with InProcessLane() as lanes:
        speeds = measure_speeds(lanes, ENGINE, shapes, FEW)
    assert [speed.hyperparameters for speed in speeds] == shapes
    assert lanes.attempts["measure speed"] == 3


class OtherProcessor(InProcessLane):
    """A lane with another processor than the lane that came first."""

    @property
    def processor(self) -> str:
        return "another processor"


def test_what_another_processor_takes_is_left_out():
    with OtherProcessor() as lanes:
        assert measure_speeds(lanes, ENGINE, [Hyperparameters(filters=4, dense_units=8)], FEW) == []


def test_a_shape_that_cannot_be_measured_is_left_out(caplog: pytest.LogCaptureFixture):
    impossible = Hyperparameters(filters=4, dense_units=8).model_copy(update={"kernel_size": 40})
    with InProcessLane() as lanes:
        speeds = measure_speeds(lanes, ENGINE, [impossible, Hyperparameters(filters=4, dense_units=8)], FEW)
    assert len(speeds) == 1
    assert "could not measure the speed of filters=4 kernel_size=40" in caplog.text
