import math

import pytest

from study.plan.cost import (
    EVALUATION_BATCH,
    Amount,
    CostModel,
    Shape,
    Speed,
    list_shapes,
    multiply_adds,
    parameter_count,
    peak_bytes,
)
from study.plan.network_sizes import network_of
from study.records.record import NetworkSize
from study.spec.setting import Hyperparameters
from study.spec.study import EngineName


@pytest.mark.parametrize(
    ("changes", "convolution", "hidden", "output"),
    [
        ({}, 26 * 26 * 3 * 3 * 32, 13 * 13 * 32 * 16, 16 * 10),
        ({"filters": 64}, 26 * 26 * 3 * 3 * 64, 13 * 13 * 64 * 16, 16 * 10),
        ({"dense_units": 512}, 26 * 26 * 3 * 3 * 32, 13 * 13 * 32 * 512, 512 * 10),
        ({"kernel_size": 5}, 24 * 24 * 5 * 5 * 32, 12 * 12 * 32 * 16, 16 * 10),
        ({"kernel_size": 4}, 25 * 25 * 4 * 4 * 32, 12 * 12 * 32 * 16, 16 * 10),  # pooling drops an odd row
        ({"kernel_size": 27}, 2 * 2 * 27 * 27 * 32, 1 * 1 * 32 * 16, 16 * 10),
        ({"dropout": 0.5, "batch_size": 64}, 26 * 26 * 3 * 3 * 32, 13 * 13 * 32 * 16, 16 * 10),
    ],
)
def test_multiply_adds_are_those_of_the_three_layers(
    changes: dict[str, float], convolution: int, hidden: int, output: int
):
    hyperparameters = Hyperparameters().model_copy(update=changes)
    assert multiply_adds(hyperparameters) == convolution + hidden + output


ONE_IMAGE = Amount(train_images=1, evaluation_images=0)
LAB = Amount(60_000, 10_000)


def make_speed(train_seconds: float, **changes: float) -> Speed:
    hyperparameters = Hyperparameters().model_copy(update=changes)
    return Speed(
        hyperparameters=hyperparameters, train_seconds=train_seconds, evaluation_seconds=train_seconds / 10
    )


def predict(model: CostModel, **changes: float) -> float:
    """Predicted seconds of training one image."""
    return model.epoch_seconds(Hyperparameters().model_copy(update=changes), ONE_IMAGE)


def test_a_measured_shape_is_predicted_to_take_what_it_took():
    model = CostModel([make_speed(2e-5), make_speed(9e-5, filters=64)])
    assert predict(model) == 2e-5
    assert predict(model, filters=64) == 9e-5
    assert model.epoch_seconds(Hyperparameters(), LAB) == pytest.approx(60_000 * 2e-5 + 10_000 * 2e-6)


def test_several_measurements_of_a_shape_count_by_their_median():
    assert predict(CostModel([make_speed(each) for each in (1e-5, 2e-5, 9e-5)])) == 2e-5


def test_whole_trainings_of_earlier_runs_outweigh_a_few_measured_steps():
    model = CostModel(measured=[make_speed(2e-5)], recorded=[make_speed(3e-5), make_speed(4e-5)])
    assert predict(model) == pytest.approx(3.5e-5)


def test_a_machine_twice_as_slow_is_predicted_twice_as_slow_for_every_shape():
    bare = CostModel()
    shapes = ({}, {"filters": 128}, {"dense_units": 512}, {"kernel_size": 5}, {"batch_size": 64})
    slow = CostModel([make_speed(2 * predict(bare, **each), **each) for each in shapes])
    for far in ({"filters": 8, "dense_units": 300}, {"dropout": 0.5}):
        assert predict(slow, **far) == pytest.approx(2 * predict(bare, **far))


def test_learning_rate_momentum_schedule_averaging_and_kind_of_augmentation_do_not_change_the_shape():
    changes = {"learning_rate": 0.1, "momentum": 0.0, "schedule": "cosine", "averaging": 0.9}
    assert Shape.of(Hyperparameters(**changes)) == Shape.of(Hyperparameters())
    assert Shape.of(Hyperparameters(dropout=0.1)) == Shape.of(Hyperparameters(dropout=0.5))
    assert Shape.of(Hyperparameters(dropout=0.1)) != Shape.of(Hyperparameters())
    assert Shape.of(Hyperparameters(augmentation="flip")) == Shape.of(Hyperparameters(augmentation="shift"))
    assert Shape.of(Hyperparameters(augmentation="flip")) != Shape.of(Hyperparameters())


def test_of_each_shape_the_first_is_listed_in_the_order_given():
    filters = [Hyperparameters(filters=each, learning_rate=rate) for rate in (0.1, 0.01) for each in (64, 8)]
    assert list_shapes(filters) == filters[:2]


def test_more_work_is_predicted_to_take_longer():
    model = CostModel()
    baseline = predict(model)
    more = ({"filters": 64}, {"dense_units": 64}, {"kernel_size": 9}, {"dropout": 0.1}, {"batch_size": 8})
    assert all(predict(model, **changes) > baseline for changes in more)


def test_the_operations_of_an_image_are_those_of_its_shape():
    shape = Shape.of(Hyperparameters(filters=8, kernel_size=5, dense_units=20, batch_size=4, dropout=0.5))
    # 24 x 24 places of a 5 x 5 kernel; pooled to 12 x 12; ten classes.
    assert shape.operations == {
        "step": 1 / 4,
        "convolution": 24 * 24 * 25 * 8,
        "activation": 24 * 24 * 8,
        "dense": (12 * 12 * 8 + 10) * 20,
        "dropout": 12 * 12 * 8,
        "parameter": (25 * 8 + (12 * 12 * 8 + 10) * 20) / 4,
        "augmentation": 0,
    }
    bare = Shape.of(Hyperparameters(augmentation="flip")).operations
    assert (bare["dropout"], bare["augmentation"]) == (0, 1)


def test_shapes_are_as_far_apart_as_their_parameters_are_doubled():
    baseline = Shape.of(Hyperparameters())
    assert baseline.distance(Shape.of(Hyperparameters(filters=128))) == 2
    assert baseline.distance(Shape.of(Hyperparameters(filters=64, kernel_size=6))) == pytest.approx(2**0.5)
    assert baseline.distance(Shape.of(Hyperparameters(dense_units=8, dropout=0.1))) == pytest.approx(5**0.5)
    assert baseline.distance(Shape.of(Hyperparameters(batch_size=256, augmentation="flip"))) == 3


def test_a_shape_between_two_measured_ones_is_corrected_by_both_the_nearer_more():
    bare = CostModel()
    model = CostModel(
        [make_speed(2 * predict(bare)), make_speed(8 * predict(bare, filters=128), filters=128)]
    )
    # The common error is the factor 4, the measured ones are half and twice that, two doublings apart.
    assert predict(model, filters=64) == pytest.approx(4 * predict(bare, filters=64))
    near, far = math.exp(-1), math.exp(-9)
    factor = 4 * 2 ** ((near - far) / (near + far + 0.1))
    assert predict(model, filters=256) == pytest.approx(factor * predict(bare, filters=256))


# Seconds of training 60,000 images and of evaluating 10,000, by the fitted rates: a slip in any rate shows.
@pytest.mark.parametrize(
    ("engine", "changes", "train", "evaluation"),
    [
        ("native", {}, 0.99, 0.073),
        ("native", {"dropout": 0.5}, 1.05, 0.073),
        ("native", {"augmentation": "flip"}, 1.03, 0.073),
        ("tensorflow", {}, 4.32, 0.23),
        ("tensorflow", {"dropout": 0.5}, 6.94, 0.23),
        ("tensorflow", {"augmentation": "flip"}, 4.39, 0.23),
    ],
)
def test_an_epoch_takes_about_what_it_took_when_the_rates_were_fitted(
    engine: EngineName, changes: dict[str, float], train: float, evaluation: float
):
    hyperparameters = Hyperparameters().model_copy(update=changes)
    model = CostModel(engine=engine)
    assert model.epoch_seconds(hyperparameters, Amount(60_000, 0)) == pytest.approx(train, rel=0.1)
    assert model.epoch_seconds(hyperparameters, Amount(0, 10_000)) == pytest.approx(evaluation, rel=0.1)


def test_the_cores_of_idle_lanes_are_shared_out_up_to_four_threads_each():
    rates = CostModel().rates
    assert [rates.threads_each(3, lanes) for lanes in (1, 3, 5, 6, 11, 12, 100)] == [1, 1, 1, 2, 3, 4, 4]
    assert rates.threads_each(0, 8) == 1
    assert [rates.speedup(threads) for threads in (1, 2, 4)] == pytest.approx([1, 1.85, 3.55])
    alone = CostModel(share_cores=False).rates
    assert (alone.threads_each(1, 8), alone.speedup(2)) == (1, 1)
    assert CostModel(engine="tensorflow").rates.threads_each(1, 8) == 1


def test_the_spread_of_a_prediction_is_what_was_seen_with_and_without_measurements():
    bare, model = CostModel(), CostModel([make_speed(2e-5)])
    assert (bare.common_spread, model.common_spread) == (0.5, 0.1)
    assert (model.spread(Hyperparameters(filters=64)), model.spread(Hyperparameters())) == (0.2, 0.07)
    assert model.knows(Hyperparameters(learning_rate=0.1)) and not bare.knows(Hyperparameters())
    assert model.is_calibrated and not bare.is_calibrated


def test_memory_is_libraries_activations_and_copies_of_the_parameters():
    pooled, parameters = 13 * 13 * 32, (9 + 1) * 32 + (13 * 13 * 32 + 1) * 16 + (16 + 1) * 10
    assert parameter_count(Hyperparameters()) == parameters
    native = 160_000_000 + 4 * (3 * pooled * 32 + 6 * parameters)
    assert peak_bytes(Hyperparameters()) == native
    assert peak_bytes(Hyperparameters(augmentation="flip")) == native + 60_000 * 28 * 28
    assert peak_bytes(Hyperparameters(averaging=0.9)) == native + 4 * 3 * parameters
    tensorflow = 1_200_000_000 + 4 * (4 * 26 * 26 * 32 * 1000 + 3 * pooled * 32 + 6 * parameters)
    assert peak_bytes(Hyperparameters(), "tensorflow") == tensorflow
    larger = 4 * (4 * 26 * 26 * 32 * (5000 - 1000) + 3 * pooled * (5000 - 32))
    assert peak_bytes(Hyperparameters(batch_size=5000), "tensorflow") == tensorflow + larger
    assert peak_bytes(Hyperparameters(augmentation="flip"), "tensorflow") == tensorflow + 2 * 60_000 * 28 * 28
    assert EVALUATION_BATCH == 1000


def own(**values: int) -> Hyperparameters:
    return Hyperparameters(network_parameters=values, optimizer="adam")


def test_a_network_of_one_s_own_costs_what_its_counted_size_says():
    sizes = {network_of(own(width=width)): NetworkSize(parameters=9 * width, multiply_adds=10**6 * width,
                                                       activations=100) for width in (1, 4)}  # fmt: skip
    costs = CostModel(engine="keras", sizes=sizes)
    assert costs.has_counted(own(width=4))
    assert not costs.has_counted(own(width=8))
    assert costs.size_of(own(width=8)) == sizes[network_of(own(width=4))]  # the most similar one
    narrow, wide = (costs.epoch_seconds(own(width=width), ONE_IMAGE) for width in (1, 4))
    assert narrow < wide < 4 * narrow
    measured = Speed(hyperparameters=own(width=1), train_seconds=10 * narrow, evaluation_seconds=1.0)
    calibrated = CostModel([measured], engine="keras", sizes=sizes)
    assert calibrated.epoch_seconds(own(width=1), ONE_IMAGE) == pytest.approx(10 * narrow)
    assert calibrated.epoch_seconds(own(width=4), ONE_IMAGE) == pytest.approx(10 * wide)


def test_the_general_engine_has_rates_of_its_own_beside_those_of_the_run_s_engine():
    costs, adam = CostModel(engine="native"), Hyperparameters(optimizer="adam")
    assert costs.epoch_seconds(adam, ONE_IMAGE) > 2 * costs.epoch_seconds(Hyperparameters(), ONE_IMAGE)
    speed = make_speed(1e-3)
    assert not CostModel([speed]).knows(adam)
    assert costs.rates_of(adam).startup_seconds > costs.rates_of(Hyperparameters()).startup_seconds
