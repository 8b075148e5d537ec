"""Measuring how fast this machine trains."""

import pytest

from study.spec.setting import Hyperparameters
from tasks.data.dataset import Dataset
from tasks.lanes.local import InProcessLane
from tasks.training.speeds import measure_speeds
from tasks.training.train_on_lanes import describe_source
from tests.engines import ENGINE
from tests.rows import make_study

SMALL = Hyperparameters(filters=4, dense_units=8)


def measure(lanes: InProcessLane, dataset: Dataset, *shapes: Hyperparameters):
    return measure_speeds(lanes, describe_source(make_study(), dataset, "CPU", ENGINE), dataset, shapes)


def test_shapes_are_measured_in_seconds_an_image_on_the_lanes_in_their_order(dataset: Dataset):
    shapes = [Hyperparameters(filters=filters, dense_units=8) for filters in (4, 2, 3)]
    with InProcessLane() as lanes:
        speeds = measure(lanes, dataset, *shapes)
    assert [speed.hyperparameters for speed in speeds] == shapes
    assert all(1e-8 < speed.evaluation_seconds < speed.train_seconds < 0.1 for speed in speeds)
    assert lanes.attempts["measure speed"] == 3


class OtherProcessor(InProcessLane):
    """A lane with another processor than the lane that came first."""

    @property
    def processor(self) -> str:
        return "another processor"


def test_what_another_processor_takes_is_left_out(dataset: Dataset):
    with OtherProcessor() as lanes:
        assert measure(lanes, dataset, SMALL) == []


def test_a_shape_that_cannot_be_measured_is_left_out(dataset: Dataset, caplog: pytest.LogCaptureFixture):
    with InProcessLane() as lanes:
        speeds = measure(lanes, dataset, SMALL.model_copy(update={"kernel_size": 40}), SMALL)
    assert len(speeds) == 1
    assert "could not measure the speed of filters=4 kernel_size=40" in caplog.text
