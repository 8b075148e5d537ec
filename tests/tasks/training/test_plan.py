"""Planning a run: kept trainings, the machine's speed, the combination earlier runs tell of, the budget."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.results import Results
from storage.run_starts import read_speeds, save_speeds
from storage.trainings import hash_weights, remove_training, save_training
from study.errors import InputError
from study.plan.cost import Speed, list_shapes, multiply_adds
from study.plan.plan import Plan
from study.plan.predictor import Predictor
from study.spec.study import EngineName, Study
from tasks.data.dataset import Dataset, refer_to_dataset
from tasks.engines.provenance import processor_name
from tasks.lanes.devices import Device
from tasks.lanes.local import InProcessLane, LocalLanes
from tasks.training.plan import (
    compare_sharing,
    forecast_plan,
    gather,
    make_predictor,
    plan_study,
    predict,
    predict_jobs,
)
from tasks.training.speeds import list_recorded_speeds, name_machine
from tests import simulated
from tests.rows import make_record, make_study

LAB = make_study()
NO_DATA = Dataset(Path("nowhere"), "nowhere")


def make_plan(study: Study = LAB, engine: EngineName = "native") -> Plan:
    return plan_study.fn(study, refer_to_dataset(), "CPU", engine)


def finish(results: Results, plan: Plan, count: int | None = None) -> None:
    """Keep simulated trainings under the keys of a plan's."""
    for training in plan.trainings[:count]:
        epochs = simulated.train(training.hyperparameters, training.seed)[: training.most_epochs]
        record = make_record(training, epochs)
        here = record.segments[0].model_copy(update={"processor": processor_name()})
        record = record.model_copy(
            update={"segments": (here,), "kept_weights": (), "optimizer_sha256": hash_weights([])}
        )
        save_training(results, record, {}, [])


@pytest.fixture
def idle() -> Iterator[LocalLanes]:
    """Two lanes that nothing may start."""
    with LocalLanes([Device("CPU"), Device("CPU")]) as lanes:
        yield lanes
        assert not lanes.attempts


@pytest.fixture
def known(results: Results) -> Results:
    """Results beside which stands how fast this machine is for every shape of the lab study."""
    plan = make_plan()
    speeds = [
        Speed(hyperparameters=shape, train_seconds=multiply_adds(shape) / 1e10, evaluation_seconds=1e-5)
        for shape in list_shapes([training.hyperparameters for training in plan.trainings])
    ]
    save_speeds(results, name_machine(plan.source, processor_name()), speeds)
    return results


@pytest.fixture
def predictor(known: Results, idle: LocalLanes) -> Predictor:
    """What predicts the lab study where all of its trainings are kept."""
    plan = make_plan()
    finish(known, plan)
    return gather(LAB, plan, known, idle)


def test_the_dataset_s_fingerprint_is_known_without_the_dataset():
    assert refer_to_dataset().fingerprint == make_plan().source.data


def test_what_earlier_runs_have_undamaged_is_not_trained_again_unless_asked_to(
    known: Results, idle: LocalLanes
):
    plan = make_plan()
    finish(known, plan, 10)
    assert forecast_plan.fn(LAB, plan, NO_DATA, known, idle).reused == 10
    assert forecast_plan.fn(LAB, plan, NO_DATA, known, idle, fresh=True).reused == 0
    (known.trainings / plan.trainings[3].key / "record.json").write_text("{")
    assert forecast_plan.fn(LAB, plan, NO_DATA, known, idle).reused == 9


def test_once_every_sweep_is_there_but_for_a_few_trials_the_combination_is_known(
    known: Results, idle: LocalLanes
):
    plan = make_plan()
    finish(known, plan, 60)
    assert forecast_plan.fn(LAB, plan, NO_DATA, known, idle).later.training is None
    finish(known, plan)
    found = forecast_plan.fn(LAB, plan, NO_DATA, known, idle)
    assert found.reused == 82
    assert found.later.training is not None
    assert len(found.later.seconds) == 2
    finish(known, dataclasses.replace(plan, trainings=(found.later.training,)))
    assert len(forecast_plan.fn(LAB, plan, NO_DATA, known, idle).later.seconds) == 1
    remove_training(known, plan.trainings[0].key)
    assert forecast_plan.fn(LAB, plan, NO_DATA, known, idle).later.training is not None


def test_a_plan_over_budget_is_refused_with_the_numbers(known: Results, idle: LocalLanes):
    message = (
        r"^--budget: predicted .+ \(95%: .+ to .+\) on 2 lanes for 84 trainings, more than the 10 min "
        r"00 s allowed; nothing was trained\. Allow more, give more lanes, or choose fewer --exercises$"
    )
    with pytest.raises(InputError, match=message):
        forecast_plan.fn(LAB, make_plan(), NO_DATA, known, idle, budget_seconds=600)
    assert forecast_plan.fn(LAB, make_plan(), NO_DATA, known, idle, budget_seconds=1e6).wall_seconds < 1e6


def test_trainings_of_this_machine_with_the_same_code_and_like_data_correct_the_prediction(
    predictor: Predictor,
):
    source, records = make_plan().source, list(predictor.history.values())
    assert len(list_recorded_speeds(records, source, predictor.amount, processor_name())) == 82
    other = source.model_copy(update={"model": "0"})
    assert list_recorded_speeds(records, other, predictor.amount, processor_name()) == []
    few = dataclasses.replace(predictor.amount, train_images=2000)
    assert list_recorded_speeds(records, source, few, processor_name()) == []


def test_a_recorded_speed_is_that_of_one_thread(predictor: Predictor):
    plan = make_plan()
    record = predictor.history[plan.trainings[0].key]
    shared = record.model_copy(
        update={"segments": tuple(each.model_copy(update={"threads": 3}) for each in record.segments)}
    )
    (alone,) = list_recorded_speeds([record], plan.source, predictor.amount, processor_name())
    (together,) = list_recorded_speeds([shared], plan.source, predictor.amount, processor_name())
    speedup = predictor.costs.rates.speedup(3)
    assert together.train_seconds == pytest.approx(alone.train_seconds * speedup)
    assert together.evaluation_seconds == pytest.approx(alone.evaluation_seconds * speedup)


def test_an_unknown_machine_is_measured_once(results: Results, dataset: Dataset, idle: LocalLanes):
    study = LAB.only(frozenset({4}))
    plan = make_plan(study, "tensorflow")  # long enough to be worth it
    plan = dataclasses.replace(plan, source=plan.source.model_copy(update={"held_out_images": 0}))
    with InProcessLane() as lanes:
        predictor = make_predictor(study, plan, dataset, results, lanes)
        assert lanes.attempts["measure speed"] == 1
    (measured,) = read_speeds(results, name_machine(plan.source, processor_name()))
    assert predictor.costs.knows(measured.hyperparameters)
    assert make_predictor(study, plan, dataset, results, idle).costs.knows(measured.hyperparameters)


def test_without_the_dataset_nothing_is_measured(results: Results, idle: LocalLanes):
    plan = make_plan()
    assert not make_predictor(LAB, plan, NO_DATA, results, idle).costs.is_calibrated


def test_a_small_study_is_not_worth_measuring(results: Results, dataset: Dataset, idle: LocalLanes):
    few = LAB.data.model_copy(update={"train_images": 1000, "test_images": 1000})
    small = LAB.only(frozenset({4})).model_copy(update={"data": few})
    make_predictor(small, make_plan(small), dataset, results, idle)
    assert not results.speeds.exists()


def test_what_was_measured_is_used(known: Results, idle: LocalLanes):
    plan = make_plan()
    before = forecast_plan.fn(LAB, plan, NO_DATA, known, idle).wall_seconds
    machine = name_machine(plan.source, processor_name())
    slow = [each.model_copy(update={"train_seconds": 1.0}) for each in read_speeds(known, machine)]
    save_speeds(known, machine, slow)
    assert forecast_plan.fn(LAB, plan, NO_DATA, known, idle).wall_seconds > 100 * before


def test_sharing_is_compared_from_nothing(predictor: Predictor):
    shared, unshared = compare_sharing(LAB, make_plan(), predictor, 2)
    assert (len(shared.jobs), shared.most_epochs) == (82, 772)
    assert (len(unshared.jobs), unshared.most_epochs) == (115, 989)
    assert shared.reused == unshared.reused == 0
    assert unshared.lane_seconds > shared.lane_seconds


def test_a_small_plan_is_foreseen_without_measuring(known: Results, idle: LocalLanes):
    plan = make_plan()
    two = dataclasses.replace(plan, trainings=plan.trainings[:2])
    assert len(predict_jobs(LAB, two, known, idle)) == 2
    assert predict(LAB, two, gather(LAB, two, known, idle), 2).lanes == 2
