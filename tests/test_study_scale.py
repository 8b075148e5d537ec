"""A run of very many trainings, simulated: worked out by hand, and what holds whatever is given."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.load import ON_DISK, ON_OBJECT_STORE, Part, Serving, heartbeat_interval
from study.makespan import simulate_makespan
from study.scale import FULL, Breaking, find_first_full, simulate
from study.scaled_plan import ScaledPlan, repeat_in_proportion

FREE = Serving()
SECONDS = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=60)
LANES = st.integers(1, 80)
COSTS = st.floats(0.0, 2.0)
SERVINGS = st.builds(
    Serving,
    task_run_seconds=COSTS,
    training_seconds=COSTS,
    lane_share=st.floats(0.0, 1.0),
    places=st.one_of(st.none(), st.integers(1, 20)),
    scheduler_seconds=COSTS,
    write_wait_seconds=COSTS,
    store_seconds=COSTS,
    server_seconds=COSTS,
)


def alone(seconds: list[float]) -> list[list[float]]:
    """A task run for each training."""
    return [[each] for each in seconds]


def test_on_one_lane_that_nothing_delays_trainings_follow_each_other():
    run = simulate(alone([5.0, 3.0, 2.0]), 1, FREE)
    assert (run.makespan, run.bound, run.efficiency) == (10.0, 10.0, 1.0)
    assert (run.trainings, run.units, run.lane_seconds) == (3, 3, 10.0)


@given(SECONDS, LANES)
def test_lanes_that_nothing_delays_take_what_the_makespan_s_simulation_says(seconds: list[float], lanes: int):
    run = simulate(alone(seconds), lanes, FREE)
    assert run.makespan == pytest.approx(simulate_makespan(seconds, lanes))
    assert all(run.busy[part] == 0.0 for part in Part if part is not Part.LANES)


def test_a_batch_is_trained_one_after_the_other():
    assert simulate([[1.0, 2.0, 3.0], [4.0]], 2, FREE).makespan == 6.0
    assert simulate(alone([1.0, 2.0, 3.0, 4.0]), 2, FREE).makespan == 6.0  # 1 and 3 beside 2 and 4
    assert simulate([[1.0, 2.0, 3.0], [4.0]], 1, FREE).makespan == 10.0


def test_a_batch_s_place_is_not_a_lane_of_its_own():
    # Three batches of two, two lanes: each lane is busy all the time.
    assert simulate([[1.0, 1.0]] * 3, 2, FREE).makespan == 3.0


def test_batches_of_nothing_take_no_time():
    assert simulate([], 3, FREE).makespan == 0.0
    assert simulate([[], [1.0], []], 3, FREE).makespan == 1.0


@pytest.mark.parametrize(
    "serving",
    [
        Serving(training_seconds=0.5),
        Serving(training_seconds=0.5, lane_share=1.0),
        Serving(task_run_seconds=0.5),
        Serving(scheduler_seconds=0.5),
        Serving(store_seconds=0.5),
    ],
)
def test_a_part_that_serves_one_at_a_time_takes_as_long_as_all_it_serves(serving: Serving):
    run = simulate(alone([1.0] * 1000), 1000, serving)
    assert run.makespan == pytest.approx(1000 * 0.5 + 1.0, abs=0.6)
    assert run.busy[run.fullest] == pytest.approx(1.0, abs=0.01)
    assert run.efficiency == pytest.approx(1000 * 1.0 / (1000 * run.makespan))


def test_a_batch_costs_one_task_run():
    serving = Serving(task_run_seconds=2.0, training_seconds=0.5)
    assert simulate([[0.0] * 10], 1, serving).makespan == pytest.approx(2.0 + 10 * 0.5)
    assert simulate(alone([0.0] * 10), 1, serving).makespan == pytest.approx(10 * 2.5)


def test_no_more_units_are_in_flight_than_there_are_places():
    serving = Serving(places=10)
    run = simulate(alone([1.0] * 100), 50, serving)
    assert run.makespan == pytest.approx(10.0)
    assert (run.busy[Part.PLACES], run.efficiency) == (1.0, pytest.approx(0.2))


def test_a_lane_is_held_while_its_result_is_taken_and_not_while_it_is_kept():
    held = Serving(training_seconds=1.0, lane_share=1.0)
    assert simulate(alone([1.0] * 10), 1, held).makespan == pytest.approx(20.0)
    after = Serving(write_wait_seconds=1.0)
    assert simulate(alone([1.0] * 10), 1, after).makespan == pytest.approx(11.0)


def test_nothing_waits_for_prefect_s_server_but_what_it_does_not_bear_is_told():
    run = simulate(alone([1.0] * 100), 10, Serving(server_seconds=0.2))
    assert run.makespan == pytest.approx(10.0)
    assert run.busy[Part.SERVER] == pytest.approx(2.0)


@given(SECONDS, LANES, SERVINGS)
def test_no_order_goes_below_the_bound_nor_below_what_any_part_takes(
    seconds: list[float], lanes: int, serving: Serving
):
    run = simulate(alone(seconds), lanes, serving)
    count = len(seconds)
    least = max(
        run.bound,
        count * (serving.task_run_seconds + serving.training_seconds),
        count * serving.scheduler_seconds,
        count * serving.store_seconds,
    )
    assert run.makespan >= least * (1 - 1e-9)
    waited_for = [part for part in Part if part is not Part.SERVER]
    assert all(0.0 <= run.busy[part] <= 1 + 1e-9 for part in waited_for)


@given(st.floats(0.01, 100.0), st.integers(1, 60), LANES, COSTS, st.integers(1, 20))
def test_equal_trainings_take_no_longer_on_more_lanes_nor_with_more_places(
    seconds: float, count: int, lanes: int, cost: float, places: int
):
    # Where each part is met once: if twice, the order in which they are may cost more than a lane saves.
    def makespan(lanes: int, places: int) -> float:
        serving = Serving(training_seconds=cost, places=places)
        return simulate(alone([seconds] * count), lanes, serving).makespan

    assert makespan(2 * lanes, places) <= makespan(lanes, places) * (1 + 1e-9)
    assert makespan(lanes, 2 * places) <= makespan(lanes, places) * (1 + 1e-9)


@given(SECONDS, LANES, SERVINGS)
def test_what_takes_all_parts_twice_as_long_takes_twice_as_long(
    seconds: list[float], lanes: int, serving: Serving
):
    costs = (
        "task_run_seconds",
        "training_seconds",
        "scheduler_seconds",
        "write_wait_seconds",
        "store_seconds",
    )
    twice = replace(serving, **{name: 2 * getattr(serving, name) for name in costs})
    once = simulate(alone(seconds), lanes, serving).makespan
    doubled = simulate(alone([2 * each for each in seconds]), lanes, twice).makespan
    assert doubled == pytest.approx(2 * once)


# What is full first.


@pytest.mark.parametrize("part", [Part.FLOW, Part.SCHEDULER, Part.STORE])
def test_a_part_is_full_at_as_many_lanes_as_it_can_serve(part: Part):
    costs = {Part.FLOW: "training_seconds", Part.SCHEDULER: "scheduler_seconds", Part.STORE: "store_seconds"}
    breaking = find_first_full(10.0, Serving(**{costs[part]: 0.1}))
    assert breaking is not None
    assert breaking.part is part
    assert breaking.lanes == pytest.approx(FULL * 10.0 / 0.1, rel=0.1)


def test_places_are_full_at_as_many_lanes_as_there_are():
    breaking = find_first_full(10.0, Serving(training_seconds=0.0001, places=200))
    assert breaking is not None
    assert breaking.part is Part.PLACES
    assert breaking.lanes == pytest.approx(FULL * 200, rel=0.1)


def test_a_task_run_for_each_training_fills_what_batches_do_not():
    serving = Serving(task_run_seconds=0.1, places=500, spare=0)
    assert find_first_full(10.0, serving) == Breaking(Part.FLOW, pytest.approx(94, abs=6))
    batched = find_first_full(10.0, serving, each_unit=100)
    assert batched is not None
    assert batched.part is Part.PLACES


def test_where_nothing_costs_anything_nothing_is_full():
    assert find_first_full(10.0, FREE, most=64) is None


def test_longer_trainings_let_more_lanes_train():
    lanes = [find_first_full(seconds, ON_DISK) for seconds in (1.0, 4.0)]
    assert all(lanes)
    assert 3 < lanes[1].lanes / lanes[0].lanes < 5  # type: ignore[union-attr]


# What serving costs.


def test_lanes_send_200_heartbeats_a_second_at_most():
    assert all(lanes / heartbeat_interval(lanes) <= 200 for lanes in (1, 10, 11, 199, 200, 1000, 1_000_000))
    assert Serving(heartbeat_seconds=0.001).heartbeat_share(1_000_000) == pytest.approx(0.2, rel=0.01)


def test_heartbeats_slow_the_scheduler_down():
    serving = Serving(scheduler_seconds=0.1, heartbeat_seconds=0.0025)
    assert serving.scheduler_seconds_on(200) == pytest.approx(0.1 / 0.75)
    assert Serving(scheduler_seconds=0.1, heartbeat_seconds=0.01).scheduler_seconds_on(10_000) == math.inf


def test_large_results_and_many_epochs_cost_more():
    serving = Serving(
        training_seconds=0.1, epoch_seconds=0.01, byte_seconds=1e-9, scheduler_seconds=0.2,
        scheduler_byte_seconds=2e-9,
    )  # fmt: skip
    found = serving.for_trainings(size=1e7, epochs=5)
    assert found == Serving(training_seconds=pytest.approx(0.16), scheduler_seconds=pytest.approx(0.22))


def test_lanes_of_the_flow_s_own_machine_are_scheduled_in_its_process():
    here = ON_DISK.with_lanes_here()
    assert here.training_seconds == ON_DISK.training_seconds + ON_DISK.scheduler_seconds
    assert here.scheduler_seconds == 0.0
    held = here.lane_share * here.training_seconds
    assert held == pytest.approx(ON_DISK.lane_share * ON_DISK.training_seconds + ON_DISK.scheduler_seconds)


# A study scaled.


def test_trainings_are_repeated_in_proportion_and_in_order():
    assert repeat_in_proportion([3.0, 2.0, 1.0], 7) == [3.0, 3.0, 2.0, 2.0, 2.0, 1.0, 1.0]
    assert repeat_in_proportion([3.0, 2.0], 2) == [3.0, 2.0]
    assert len(repeat_in_proportion([3.0, 2.0, 1.0], 1)) == 1


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20), st.integers(1, 500))
def test_no_training_is_repeated_more_than_once_oftener_than_another(seconds: list[float], count: int):
    places = [float(place) for place in range(len(seconds))]
    repeated = repeat_in_proportion(places, count)
    times = [repeated.count(place) for place in places]
    assert len(repeated) == count
    assert max(times) - min(times) <= 1


def test_a_scaled_plan_is_batched_as_a_run_is():
    plan = ScaledPlan((3.0, 1.0), 10_000, 10, ON_DISK)
    assert len(plan.units) == 2000
    assert sum(map(len, plan.units)) == plan.run.trainings == 10_000
    assert plan.mean_seconds == pytest.approx(2.0)


def test_what_is_asked_of_each_part_where_every_lane_trains():
    plan = ScaledPlan((2.0,), 4000, 100, Serving(training_seconds=0.01, places=1000, server_seconds=0.1))
    asked = {each.part: each for each in plan.asked}
    assert asked[Part.FLOW].each_second == pytest.approx(50.0)
    assert (asked[Part.FLOW].bears, asked[Part.FLOW].share) == (pytest.approx(100.0), pytest.approx(0.5))
    assert asked[Part.PLACES].share == pytest.approx(0.102)
    assert asked[Part.SERVER].each_second == pytest.approx(25.0)  # two trainings a task run
    assert asked[Part.SERVER].share == pytest.approx(2.5)
    assert (asked[Part.STORE].bears, asked[Part.STORE].share) == (math.inf, 0.0)


def test_split_over_as_many_flows_as_that_takes_most_lanes_train():
    plan = ScaledPlan((10.0, 5.0), 60_000, 4000, ON_DISK)
    assert plan.run.efficiency < 0.3
    assert plan.flows > 4
    assert plan.split.lanes == 4000 / plan.flows
    assert plan.split.efficiency > 0.75  # 2,000 batches on 800 lanes: the third round is half empty


def test_an_object_store_asks_more_of_the_flow_s_process():
    disk, store = (find_first_full(10.0, serving, 100) for serving in (ON_DISK, ON_OBJECT_STORE))
    assert disk is not None
    assert store is not None
    assert store.part is Part.FLOW
    assert store.lanes < disk.lanes
