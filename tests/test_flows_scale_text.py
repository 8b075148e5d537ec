"""`study plan --trials`: a study scaled, as text and as JSON, for lanes of any number of machines."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.scale_text import _sentences, check_counts, describe_scaled, scale
from storage.address import read_address
from storage.place import Results
from study.cost import Amount, CostModel, parameter_count
from study.errors import InputError
from study.foresight import Foresight
from study.kept_files import RECORD_BYTES, Files, count_files
from study.load import ON_DISK, ON_OBJECT_STORE, Part
from study.plan import compile_plan, list_trials
from study.scaled_plan import ScaledPlan
from tasks.plan_study import compare_sharing
from tests.command import study as call
from tests.frames import make_source, make_study
from tests.searches import searching_study
from tests.toy import write_toy


def scale_lab(lanes: int, trials: int, folder: Path = Path("results")) -> ScaledPlan:
    """The lab study scaled, on a machine that was never measured."""
    study = make_study()
    plan = compile_plan(study, list_trials(study), make_source(study))
    foresight = Foresight({}, {}, CostModel(), Amount(60_000, 10_000))
    return scale(plan, compare_sharing(study, plan, foresight, 1)[0], lanes, trials, Results(folder), 1e6)


@pytest.fixture(scope="module")
def crowded() -> dict[str, Any]:
    """More lanes than one flow serves."""
    return describe_scaled(scale_lab(3000, 20_000), 20_000, Files(3.0, 1e6))


def test_trainings_are_in_proportion_to_those_of_the_study(crowded: dict[str, Any]):
    assert crowded["trainings"] == round(20_000 * 82 / 115)
    assert (crowded["trials"], crowded["lanes"], crowded["task_runs"]) == (20_000, 3000, 2000)
    seconds = crowded["trainings"] * crowded["training_seconds"]
    assert seconds == pytest.approx(crowded["lane_seconds"], rel=1e-3)


def test_each_part_s_load_is_told(crowded: dict[str, Any]):
    parts = {each["part"]: each for each in crowded["parts"]}
    assert set(parts) == {part.value for part in Part if part is not Part.LANES}
    assert parts["places in flight"]["share_asked"] == pytest.approx(3.002)
    assert parts["flow's process"]["asked"] == pytest.approx(3000 / crowded["training_seconds"], rel=1e-3)


def test_files_and_bytes_follow_the_trainings(crowded: dict[str, Any]):
    rate = crowded["trainings"] / crowded["predicted_seconds"]
    assert crowded["trainings_each_second"] == pytest.approx(rate, rel=1e-2)
    assert crowded["files_each_second"] == pytest.approx(3 * rate, rel=1e-2)
    assert crowded["bytes_kept"] == crowded["trainings"] * 1_000_000


def test_what_is_full_first_and_what_to_change_is_a_sentence(crowded: dict[str, Any]):
    text = "\n".join(_sentences(crowded, "lab"))
    assert "full first, as lanes grow: places in flight, 90% busy from about " in text
    assert "to change: split the study over several runs, each with a part of the lanes" in text
    assert f"split over {crowded['runs_to_split_into']} runs, each with a scheduler of its own: " in text
    assert crowded["split_efficiency"] > crowded["efficiency"]
    assert "predicted: " in text


def test_few_lanes_need_no_second_run():
    described = describe_scaled(scale_lab(2, 115), 115, Files(3.0, 1e6))
    assert (described["runs_to_split_into"], described["trainings"]) == (1, 82)
    assert described["efficiency"] > 0.95
    assert not [line for line in _sentences(described, "lab") if line.startswith("split over")]


def test_where_results_lie_decides_what_they_cost():
    disk, store = scale_lab(10, 115), scale_lab(10, 115, read_address("s3://bucket/results"))
    epochs = (disk.serving.training_seconds - ON_DISK.training_seconds - 0.004) / ON_DISK.epoch_seconds
    assert 6 < epochs < 8  # about 610 epochs of 82 trainings
    for plan, serving in ((disk, ON_DISK), (store, ON_OBJECT_STORE)):
        assert plan.serving == serving.for_trainings(1e6, epochs)


def test_a_study_of_which_nothing_is_known_before_its_search_is_refused():
    study = searching_study(sweeps=False)
    plan = compile_plan(study, (), make_source(study))
    forecast = compare_sharing(study, plan, Foresight({}, {}, CostModel(), Amount(50_000, 20_000)), 1)[0]
    with pytest.raises(InputError, match="--trials: 1,000 is not allowed for a study whose trainings only"):
        scale(plan, forecast, 10, 1000, Results(Path("results")), 0.0)


@pytest.mark.parametrize(
    ("lanes", "trials", "message"),
    [
        (0, None, r"--lanes: 0 is not allowed; give 1 to 1,000,000, or leave it out"),
        (1_000_001, None, r"--lanes: 1,000,001 is not allowed"),
        (None, -5, r"--trials: -5 is not allowed; give 1 to 10,000,000, or leave it out"),
        (None, 10**30, r"--trials: 1000000000000000000000000000000 is not allowed"),
    ],
)
def test_numbers_that_no_plan_is_made_for_are_refused(lanes: int | None, trials: int | None, message: str):
    with pytest.raises(InputError, match=message):
        check_counts(lanes, trials)


def test_the_largest_numbers_are_allowed():
    check_counts(1_000_000, 10_000_000)
    check_counts(None, None)


def test_files_of_a_training_are_its_record_weights_and_the_optimizer_s_state():
    study = make_study()
    plan = compile_plan(study, list_trials(study), make_source(study))
    one = next(each for each in plan.trainings if len({rule.epochs for rule in each.rules}) == 1)
    files = count_files([one])
    assert files.count == 3
    assert files.size == RECORD_BYTES + 2 * 4 * parameter_count(one.hyperparameters)


def test_the_command_scales_a_study_for_lanes_that_no_machine_has(tmp_path: Path):
    done = call("plan", write_toy(tmp_path), "--lanes", 5000, "--trials", 2000, "--json", folder=tmp_path)
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert (plan["lanes"], plan["trials"]) == (5000, 13)
    scaled = plan["scaled"]
    assert (scaled["lanes"], scaled["trials"], scaled["trainings"]) == (5000, 2000, 1077)
    assert list((tmp_path / "results").iterdir()) == []


def test_the_command_prints_a_table_and_sentences(tmp_path: Path):
    done = call("plan", write_toy(tmp_path), "--lanes", 64, "--trials", 500, folder=tmp_path)
    assert done.code == 0, done.err
    assert "scaled to 500 trials, on 64 lanes" in done.out
    assert "full first, as lanes grow: " in done.out
    assert "predicted: " in done.out


def test_a_run_is_still_refused_more_lanes_than_a_machine_has(tmp_path: Path):
    done = call("run", write_toy(tmp_path), "--lanes", 5000, folder=tmp_path)
    assert done.code == 2
    assert "5,000" in done.err or "5000" in done.err
