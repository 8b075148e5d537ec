"""Forecasts: what is kept costs nothing, longest first, early stops as recorded, an interval."""

import dataclasses
import math
from collections import Counter
from statistics import fmean, pstdev

import pytest

from study.plan.cost import ENGINE_COSTS, Amount, CostModel, Speed, peak_bytes
from study.plan.forecast import (
    MODEL_SECONDS,
    RUN_SECONDS,
    Forecast,
    FurtherTrainings,
    Job,
    SearchProgress,
    makespan_bound,
    simulate_makespan,
)
from study.plan.plan import Plan, Training, candidate_trials, compile_plan, key_of, list_trials
from study.plan.predictor import STOP_AFTER_PATIENCE, Predictor, draw_combinations
from study.records.record import StopRule, TrainingRecord
from study.spec.bands import Cell
from study.spec.setting import Hyperparameters
from study.spec.study import Study
from study.spec.study_file import read_study
from tests import simulated
from tests.rows import make_record, make_source, make_study
from tests.searches import searching_study


def make_speed(seconds: float, filters: int = 32) -> Speed:
    """The baseline, or one with other filters, takes this many seconds an epoch."""
    return Speed(
        hyperparameters=Hyperparameters(filters=filters),
        train_seconds=seconds / 60_000,
        evaluation_seconds=1e-12,
    )


ONE_SECOND = make_speed(1)

LANES_SECONDS = ENGINE_COSTS["native"].lanes_seconds
STARTUP_SECONDS = ENGINE_COSTS["native"].startup_seconds
NOTHING_KEPT = Predictor({}, {}, CostModel([ONE_SECOND]), Amount(60_000, 10_000))


def make_plan(study: Study) -> Plan:
    return compile_plan(study, list_trials(study), make_source(study))


def only(*numbers: int) -> Study:
    return make_study().only(frozenset(numbers))


def finish(plan: Plan, epochs: int | None = None) -> dict[str, TrainingRecord]:
    """Records of a plan's trainings, as long as their longest budget or so many epochs."""
    records = [
        make_record(each, simulated.train(each.hyperparameters, each.seed)[: epochs or each.most_epochs])
        for each in plan.trainings
    ]
    return {record.key: record for record in records}


def keep(records: dict[str, TrainingRecord]) -> Predictor:
    return dataclasses.replace(NOTHING_KEPT, kept=records, history=records)


def forecast(study: Study, predictor: Predictor = NOTHING_KEPT, lanes: int = 2) -> Forecast:
    return predictor.forecast(study, make_plan(study), lanes)


def test_a_training_takes_its_epochs_and_the_startup():
    found = forecast(only(4))
    assert [job.epochs for job in found.jobs] == [20] * 4
    assert [job.seconds for job in found.jobs] == pytest.approx([20 + STARTUP_SECONDS] * 4)
    assert found.epochs_to_run == found.most_epochs == 80


def test_first_repeats_come_first_then_the_longest():
    plan = make_plan(make_study())
    first = {key_of(trial, plan.source) for trial in plan.trials if trial.repeat == 1}
    found = [(job.training.key in first, job.seconds) for job in forecast(make_study()).jobs]
    assert (len(found), len(first)) == (82, 19)
    assert found == sorted(found, reverse=True)


def test_what_earlier_runs_have_costs_nothing():
    study = only(4)
    kept = finish(make_plan(study))
    found = forecast(study, keep(kept))
    assert (found.reused, found.epochs_to_run, found.lane_seconds) == (4, 0, 0.0)
    assert found.wall_seconds == RUN_SECONDS
    assert all(job.is_reused and job.kept_epochs == 20 for job in found.jobs)


def test_what_is_kept_in_part_is_gone_on_with():
    study = only(4)
    found = forecast(study, keep(finish(make_plan(study), epochs=5)))
    assert [(job.kept_epochs, job.epochs, job.most_epochs) for job in found.jobs] == [(5, 15, 15)] * 4
    assert found.reused == 0


def test_fresh_trainings_still_learn_from_the_history_when_they_will_stop():
    study = only(6)
    history = finish(make_plan(study))
    fresh = dataclasses.replace(NOTHING_KEPT, history=history)
    rule = StopRule(epochs=20, patience=3)
    stops = [rule.epochs_read(record.validation_losses) for record in history.values()]
    found = forecast(study, fresh)
    assert found.reused == 0
    assert found.epochs_to_run == pytest.approx(sum(filter(None, stops)), rel=0.03)
    assert found.most_epochs == 24 * 20


def test_trainings_that_were_too_short_to_stop_early_tell_nothing():
    study = only(6)
    short = dataclasses.replace(NOTHING_KEPT, history=finish(make_plan(study), epochs=5))
    assert forecast(study, short).epochs_to_run == forecast(study).epochs_to_run


def test_without_history_an_early_stop_is_expected_as_measured_on_the_lab_study():
    found = forecast(only(6))
    assert {job.epochs for job in found.jobs} == {round(3 + STOP_AFTER_PATIENCE)}
    assert all(job.most_epochs == 20 for job in found.jobs)
    sweep = only(6).sweeps[0].model_copy(update={"fixed": {"epochs": 4, "patience": 3}})
    short = only(6).model_copy(update={"exercises": (sweep,)})
    assert {job.epochs for job in forecast(short).jobs} == {4}


def test_the_wall_time_is_the_simulated_makespan_and_what_a_run_takes_besides():
    found = forecast(only(2, 3, 4, 5))
    seconds = [job.seconds for job in found.jobs]
    for lanes in (1, 2, 100):
        assert found.makespan_on(lanes) == simulate_makespan(seconds, lanes)
        assert found.bound_on(lanes) == makespan_bound(seconds, lanes)
        assert found.wall_seconds_on(lanes) == RUN_SECONDS + LANES_SECONDS + found.makespan_on(lanes)
    assert found.lane_seconds == pytest.approx(sum(seconds))


def test_a_new_model_takes_time_at_the_end():
    study = make_study()
    assert forecast(study).rest_seconds == RUN_SECONDS + MODEL_SECONDS
    assert forecast(only(4)).rest_seconds == RUN_SECONDS


def test_fewer_trainings_than_lanes_share_the_cores_of_the_idle_ones():
    rates = ENGINE_COSTS["native"]
    study = only(4)
    alone, crowded = forecast(study, lanes=4), forecast(study, lanes=3)
    assert [job.threads for job in alone.jobs] == [job.threads for job in crowded.jobs] == [1] * 4
    many = forecast(study, lanes=13)
    assert [job.threads for job in many.jobs] == [3] * 4
    expected = (20 + STARTUP_SECONDS) / rates.speedup(3)
    assert [job.seconds for job in many.jobs] == pytest.approx([expected] * 4)
    for lanes in (1, 2, 4, 8, 13):
        assert many.makespan_on(lanes) == pytest.approx(forecast(study, lanes=lanes).makespan)
        assert many.bound_on(lanes) == pytest.approx(forecast(study, lanes=lanes).bound)


def test_what_is_reused_asks_for_no_threads_and_the_last_one_gets_them_all():
    plan = make_plan(only(4))
    records = finish(plan)
    missing = records.pop(plan.trainings[-1].key)
    jobs = forecast(only(4), keep(records), lanes=2).jobs
    assert [(job.training.key, job.threads) for job in jobs if not job.is_reused] == [(missing.key, 2)]


def read_all(study: Study, repeats: int, **best: float) -> dict[Cell, list[float]]:
    """Readings of each value of the combined sweeps, of which the given one, or the first, is best."""
    return {
        (sweep.number, value): [0.9 if value == best.get(sweep.parameter, sweep.values[0]) else 0.8] * repeats
        for sweep in study.combined_sweeps
        for value in sweep.values
    }


def test_the_combination_is_exact_once_every_repeat_is_read():
    study = make_study()
    assert forecast(study).later.training is None
    best = {sweep.parameter: getattr(study.baseline, sweep.parameter) for sweep in study.combined_sweeps}
    read = read_all(study, 5, **best | {"epochs": 10})
    found = NOTHING_KEPT.forecast(study, make_plan(study), 2, read)
    assert sorted(found.later.seconds)[0] == pytest.approx(10 + STARTUP_SECONDS)
    assert len(found.later.seconds) == 2  # its variant has a larger kernel
    assert found.later.training is not None
    assert found.later.training.most_epochs == 10


def test_a_study_that_combines_and_searches_nothing_trains_nothing_later():
    found = forecast(only(2))
    assert found.search == found.later == found.finals == FurtherTrainings(0)
    assert forecast(only(7)).later.trainings == 0  # it has none of the sweeps to be combined


def test_combinations_are_drawn_from_the_swept_values_and_always_the_same():
    study = make_study().model_copy(update={"published": None})
    drawn = draw_combinations(study, {})
    assert drawn == draw_combinations(study, {})
    assert {each.filters for each in drawn} == {8, 16, 32, 64, 128}
    assert {each.learning_rate for each in drawn} == {0.1, 0.01, 0.001, 0.0001, 0.00001}


def test_values_that_are_published_as_far_from_the_best_are_not_expected_to_be_combined():
    drawn = draw_combinations(make_study(), {})
    assert {each.filters for each in drawn} == {8, 16, 32, 64, 128}  # published within a point
    assert {each.learning_rate for each in drawn} <= {0.01, 0.001}
    epochs = Counter(each.epochs for each in drawn)
    assert epochs[20] > epochs[10] > epochs[1]


def test_the_more_repeats_are_read_the_surer_is_the_combination():
    study = make_study()
    cells = {cell: [0.9 - 0.001 * place] for place, cell in enumerate(read_all(study, 1))}
    counts = [
        len(set(draw_combinations(study, {cell: read * repeats for cell, read in cells.items()})))
        for repeats in (1, 3, 5)
    ]
    assert counts[0] > counts[1] > counts[2] == 1, "the study has at most five repeats"


def test_memory_is_that_of_the_largest_trainings_on_all_lanes():
    one, two = forecast(make_study(), lanes=1), forecast(make_study(), lanes=2)
    assert one.peak_bytes < two.peak_bytes <= 2 * one.peak_bytes
    study = only(4)
    assert forecast(study, keep(finish(make_plan(study)))).peak_bytes == 0
    with_combination = forecast(only(4, 7)).peak_bytes
    assert with_combination > forecast(study).peak_bytes, "it may be the largest"


def test_a_search_trains_its_candidates_as_far_as_a_third_passes_each_rung_and_its_finalists_whole():
    found = forecast(searching_study())
    assert (found.search.trainings, found.finals.trainings) == (20, 20)
    share = (3 + 6 / 3 + 9 / 9) / 18
    assert found.search.seconds[0] == pytest.approx(share * found.finals.seconds[0])
    assert found.lane_seconds == pytest.approx(
        sum(found.seconds) + sum(found.search.seconds) + sum(found.finals.seconds)
    )


def test_a_budget_of_minutes_is_what_the_search_is_expected_to_take():
    found = forecast(searching_study(trainings=None, minutes=10))
    assert sum(found.search.seconds) == pytest.approx(600)


def test_a_search_at_its_end_costs_its_finalists_alone():
    study = searching_study()
    named = candidate_trials(study, "finalist 1", study.baseline.with_changes({"filters": 64}))
    ended = dataclasses.replace(NOTHING_KEPT, search=SearchProgress(0.0, named))
    found = ended.forecast(study, make_plan(study), 2)
    assert (found.search.trainings, found.finals.trainings) == (0, 10)


def test_memory_counts_what_a_search_may_come_upon():
    small = searching_study(space={"filters": [8], "epochs": [5]})
    large = searching_study(space={"filters": [1024], "dense_units": [8192], "epochs": [5]})
    assert forecast(large).peak_bytes > 2 * forecast(small).peak_bytes


def test_the_optimum_study_takes_well_under_forty_minutes_on_two_cores():
    # By the formula as it stands in study/plan/cost.py, by which an epoch of the baseline takes a second.
    study = read_study("optimum")
    costs, amount = CostModel(), Amount(50_000, 20_000)
    found = Predictor({}, {}, costs, amount).forecast(study, make_plan(study), 2)
    assert found.wall_seconds < 25 * 60
    # Were both finalists the largest that the search may come upon, and no cheap one near:
    largest = Hyperparameters(filters=64, dense_units=96, kernel_size=5, dropout=0.5, augmentation="flip")
    finals = 2 * 10 * 20 * costs.epoch_seconds(largest, amount)
    assert found.lane_seconds - sum(found.finals.seconds) + finals < 2 * 40 * 60


def with_patience(training: Training) -> Training:
    return training.model_copy(update={"rules": (StopRule(epochs=20, patience=3),)})


def test_a_job_is_as_uncertain_as_its_cost_and_its_stop():
    # Only the baseline's shape was measured, at a second an epoch.
    training = make_plan(only(4)).trainings[0]
    whole = NOTHING_KEPT.predict(training)
    assert (whole.epochs, whole.spread) == (20, pytest.approx(0.07 * 20))
    stopped = NOTHING_KEPT.predict(with_patience(training))
    assert (stopped.epochs, stopped.most_epochs) == (11, 20)
    assert stopped.seconds == pytest.approx(STARTUP_SECONDS + 11.4)
    assert stopped.spread == pytest.approx(math.hypot(0.07 * 11.4, 3.1))
    two_seconds = CostModel([make_speed(2)])
    slower = dataclasses.replace(NOTHING_KEPT, costs=two_seconds).predict(with_patience(training))
    assert slower.spread == pytest.approx(2 * stopped.spread)
    twice = stopped.on_threads(2, 1.6)
    assert (twice.threads, twice.seconds, twice.spread) == (2, stopped.seconds / 1.6, stopped.spread / 1.6)


def test_an_early_stop_is_expected_where_the_same_hyperparameters_stopped():
    training = with_patience(make_plan(only(4)).trainings[0])
    stops, history = [], {}
    for seed in (11, 12, 13):
        record = make_record(training, simulated.train(training.hyperparameters, seed)[:20])
        stops.append(training.rules[0].epochs_read(record.validation_losses))
        history[str(seed)] = record
        found = dataclasses.replace(NOTHING_KEPT, history=history).predict(training)
        assert found.seconds == pytest.approx(STARTUP_SECONDS + fmean(stops))
        own = pstdev(stops) if len(stops) > 1 else 3.1  # one stop has no spread of its own
        assert found.spread == pytest.approx(math.hypot(0.07 * fmean(stops), own))


def make_forecast(**changes: object) -> Forecast:
    """Trainings of 100 and 60 seconds on two lanes, uncertain by 3 and 4 seconds, and by a common tenth."""
    first, second, *_ = make_plan(only(4)).trainings
    jobs = (Job(first, None, 20, 100.0, 3.0), Job(second, None, 20, 60.0, 4.0))
    rates = ENGINE_COSTS["tensorflow"]
    made = Forecast(jobs, FurtherTrainings(0), lanes=2, common_spread=0.1, rates=rates)
    return dataclasses.replace(made, **changes)


def test_the_interval_is_worked_out_from_the_common_error_and_those_of_single_trainings():
    found = make_forecast()
    rest = 10 + 8.0  # beside the trainings, and until the first lane of TensorFlow trains
    assert (found.makespan, found.wall_seconds) == (100, rest + 100)
    own = 1.96 * 5 / 2
    low = math.hypot(100 * (1 - math.exp(-0.196)), own)
    high = math.hypot(100 * (math.exp(0.196) - 1), own)
    assert found.interval == pytest.approx((rest + 100 - low, rest + 100 + high))
    later = make_forecast(
        later=FurtherTrainings(1, (), 6.0),
        search=FurtherTrainings(1, (), 2.5),
        finals=FurtherTrainings(1, (), 6.0),
    )
    own = 1.96 * math.hypot(2.5, 6, 2.5, 6)
    assert later.interval[0] == pytest.approx(rest + 100 - math.hypot(100 * (1 - math.exp(-0.196)), own))
    assert make_forecast(common_spread=9.0).interval[0] >= rest, "no less than what is beside the trainings"
    assert make_forecast(jobs=()).interval == (5, 20)


def test_phases_follow_each_other_and_each_is_shared_out_among_the_lanes():
    found = make_forecast(
        search=FurtherTrainings(2, (30.0, 30.0)),
        later=FurtherTrainings(1, (10.0,)),
        finals=FurtherTrainings(1, (8.0,)),
    )
    assert found.later_seconds == (30, 30, 10, 8)
    assert found.lane_seconds == 160 + 78
    assert found.makespan == 100 + 30 + 10
    assert found.makespan_on(1) == 160 + 60 + 18
    assert found.bound == 100 + 30 + 10


def test_the_memory_of_later_phases_counts_where_it_is_more():
    now = make_forecast().peak_bytes
    assert now == 2 * peak_bytes(Hyperparameters(), "tensorflow")
    assert make_forecast(search=FurtherTrainings(3, (1.0,) * 3, peak_bytes=10**10)).peak_bytes == 2 * 10**10
    assert make_forecast(finals=FurtherTrainings(1, (1.0,), peak_bytes=10**10)).peak_bytes == 10**10
    assert make_forecast(later=FurtherTrainings(1, (1.0,), peak_bytes=1)).peak_bytes == now


def test_a_combination_that_is_not_known_takes_the_mean_of_those_it_may_be():
    # Combined are the epochs alone, 1, 2 and 4, each a second.
    study = make_study()
    sweep = {**study.sweeps[0].model_dump(), "parameter": "epochs", "values": (1, 2, 4), "fixed": {}}
    optimum = {**study.optimum.model_dump(), "combine": (sweep["number"],), "variants": {}, "repeats": 3}
    study = Study.model_validate({**study.model_dump(), "exercises": [sweep, optimum]})
    epochs = [each.epochs for each in draw_combinations(study, {})]
    assert len(epochs) == 256 and set(epochs) == {1, 2, 4}
    found = forecast(study, lanes=3).later
    assert found.seconds == pytest.approx((STARTUP_SECONDS + fmean(epochs),) * 3)
    assert (found.trainings, found.spread) == (3, pytest.approx(pstdev(epochs)))
    assert found.peak_bytes == peak_bytes(Hyperparameters(), "tensorflow")
    shared = forecast(study, lanes=6).later
    assert shared.seconds == pytest.approx(tuple(each / 1.85 for each in found.seconds))
    assert shared.spread == pytest.approx(found.spread / 1.85)


def test_the_spread_of_a_search_grows_with_the_root_of_its_trainings():
    # Of 18 epochs a candidate trains a third, as a third passes each rung: 3 + 6/3 + 9/9.
    study = searching_study(space={"filters": [32, 64], "epochs": [18]}, sweeps=False)
    costs = CostModel([ONE_SECOND, make_speed(2, filters=64)])
    measured = dataclasses.replace(NOTHING_KEPT, costs=costs)
    found = forecast(study, measured)
    mean = found.finals.seconds[0]
    # The part of the candidates that have 64 filters and take 36 seconds.
    wide = (mean - STARTUP_SECONDS - 18) / 18
    spread = 18 * math.sqrt(wide * (1 - wide))
    assert 0.4 < wide < 0.6
    assert found.search.spread == pytest.approx(spread / 3 * math.sqrt(20) / 2)
    assert found.finals.spread == pytest.approx(spread * 10 * math.sqrt(2) / 2)
    half = dataclasses.replace(measured, search=SearchProgress(0.5)).forecast(study, make_plan(study), 4)
    assert half.search.trainings == 10
    assert half.search.spread == pytest.approx(spread / 3 * math.sqrt(10) / 4)
