"""`study plan`: what would be trained and what it would cost, as a table and as JSON, training nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli.plan import Planned, _sentences, describe_plan
from study.plan.cost import Amount, CostModel
from study.plan.plan import compile_plan, list_trials
from study.plan.predictor import Predictor
from study.spec.study import Study
from tasks.training.plan import compare_sharing, predict
from tests.command import study
from tests.rows import make_source, make_study
from tests.searches import searching_study
from tests.toy import write_toy


def make_planned(study: Study, amount: Amount) -> Planned:
    """The plan of a study on two lanes of a machine that was never measured."""
    plan = compile_plan(study, list_trials(study), make_source(study))
    predictor = Predictor({}, {}, CostModel(), amount)
    sharing = compare_sharing(study, plan, predictor, 2)
    return Planned(study, plan, predict(study, plan, predictor, 2), *sharing, False)


@pytest.fixture(scope="module")
def lab() -> dict[str, Any]:
    """The plan of the lab study, as JSON."""
    return describe_plan(make_planned(make_study(), Amount(60_000, 10_000)))


def test_the_lab_study_s_trials_trainings_and_epochs(lab: dict[str, Any]):
    assert (lab["trials"], lab["trainings"], lab["reused_trainings"]) == (115, 82, 0)
    assert (lab["epochs_asked"], lab["epochs_to_run_at_most"]) == (989, 772)
    assert 550 < lab["epochs_to_run"] < 650  # about 610 were trained when it ran
    assert lab["from_nothing"]["trainings"] == 82
    assert lab["without_sharing"]["trainings"] == 115


def test_the_trainings_are_listed_with_what_they_are_and_cost(lab: dict[str, Any]):
    listed = lab["training_list"]
    assert len({each["key"] for each in listed}) == 82
    assert sum(each["epochs"] for each in listed) == lab["epochs_to_run"]
    seconds = sum(each["predicted_seconds"] for each in listed)
    assert seconds + lab["combination"]["lane_seconds"] == pytest.approx(lab["lane_seconds"], abs=2)
    baseline = next(each for each in listed if each["training"] == "baseline seed=1")
    assert baseline["exercises"] == [2, 3, 4, 5, 6]
    assert baseline["hyperparameters"]["filters"] == 32


def test_exercises_add_up_to_the_whole(lab: dict[str, Any]):
    def total(name: str) -> int:
        return sum(each[name] for each in lab["exercises"])

    assert (total("trials"), total("epochs_asked")) == (115, 989)
    assert total("to_train") == 82
    assert total("trainings") - total("shared_trainings") == 82
    assert total("epochs_to_run") == lab["epochs_to_run"]


def test_more_lanes_take_less_time_down_to_the_longest_training(lab: dict[str, Any]):
    by_lanes = {each["lanes"]: each for each in lab["on_lanes"]}
    assert set(by_lanes) == {1, 2, 10, 100, 1000}
    makespans = [each["makespan_seconds"] for each in by_lanes.values()]
    assert makespans == sorted(makespans, reverse=True)
    for each in by_lanes.values():
        assert (
            each["makespan_bound_seconds"]
            <= each["makespan_seconds"]
            <= 4 / 3 * each["makespan_bound_seconds"]
        )
    assert by_lanes[1000]["makespan_seconds"] == by_lanes[1000]["makespan_bound_seconds"]


def test_a_search_and_its_finalists_are_part_of_what_a_plan_costs():
    planned = make_planned(searching_study(), Amount(50_000, 20_000))
    described = describe_plan(planned)
    search, finals = described["search"], described["finalists"]
    assert (search["trainings"], finals["trainings"]) == (20, 20)
    listed = sum(each["predicted_seconds"] for each in described["training_list"])
    later = search["lane_seconds"] + finals["lane_seconds"]
    assert described["lane_seconds"] == pytest.approx(listed + later, abs=2)
    lines = "\n".join(_sentences(planned, 2))
    assert "the search: 20 trainings to begin, most of them stopped early, about " in lines
    assert "its finalists: 20 trainings with fresh seeds, about " in lines


def test_the_command_prints_json_and_leaves_nothing_behind(tmp_path: Path):
    done = study("plan", write_toy(tmp_path), "--json", "--lanes", 3, folder=tmp_path)
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert (plan["trials"], plan["lanes"], plan["speed_is_measured"]) == (13, 3, False)
    assert plan["predicted_low_seconds"] < plan["predicted_seconds"] < plan["predicted_high_seconds"]
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("lanes", [0, 1_000_001])
def test_lanes_that_no_plan_is_made_for_are_refused(tmp_path: Path, lanes: int):
    done = study("plan", write_toy(tmp_path), "--lanes", lanes, folder=tmp_path)
    assert done.code == 2
    assert f"--lanes: {lanes:,} is not allowed; give 1 to 1,000,000, or leave it out" in done.err


def test_a_plan_is_for_more_lanes_than_a_run_may_have(tmp_path: Path):
    toy = write_toy(tmp_path)
    planned, run = (study(name, toy, "--lanes", 1001, folder=tmp_path) for name in ("plan", "run"))
    assert planned.code == 0, planned.err
    assert " 1,001 lanes: " in planned.out
    assert (run.code, "1001 is not allowed" in run.err) == (2, True)


def test_the_command_prints_a_table_and_what_to_expect(tmp_path: Path):
    done = study("plan", write_toy(tmp_path), "--lanes", 1000, folder=tmp_path)
    assert done.code == 0, done.err
    assert "Number of" not in done.out
    assert "13 trials read 7 trainings: 0 from earlier runs, 7 to train" in done.out
    assert "without sharing: 13 trainings" in done.out
    assert "predicted: " in done.out
    assert "this machine's speed is not measured yet" in done.out
    assert "this machine has devices for" in done.out
