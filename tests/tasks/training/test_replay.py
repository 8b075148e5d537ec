"""Replaying rows: which, with which recipes, what contradicts these, and how they are trained again."""

import pytest

from storage.results import Results
from storage.tables.published import list_runs, publish, read_run
from storage.tables.rows_of_work import TrialRow
from study.conclusions.replay import Recipe, Replay
from study.errors import InputError
from study.plan.plan import Training
from study.records.record import Segment, StopRule
from study.spec.setting import Hyperparameters
from study.status import Status
from tasks.data.dataset import Dataset
from tasks.engines import engine as choose_engine
from tasks.engines.native_library import NativeUnavailable
from tasks.engines.provenance import library_versions, processor_name
from tasks.lanes.devices import Device
from tasks.lanes.local import InProcessLane, LocalLanes
from tasks.lanes.process import Attempt, LaneDied
from tasks.training import replay, train_on_lanes
from tasks.training.replay import choose_rows, name_trial, read_recipes
from tasks.training.train_on_lanes import MODEL_VERSION
from tests.engines import ENGINE
from tests.rows import RUN_ID, make_trials
from tests.small_run import changed, make_small_study, make_tables
from tests.study.conclusions.test_replay import make_recipe
from tests.tampered import tamper
from tests.tasks.training.test_train_on_lanes import plant_divergence

LATER = "20260302-120000-abcd"


@pytest.fixture
def published(results: Results) -> Results:
    publish_run(results, RUN_ID)
    return results


def publish_run(place: Results, run_id: str) -> None:
    publish(place, make_tables(run_id))
    for table in ("trials", "trainings", "runs"):
        tamper(place, run_id, table, {"engine": "tensorflow"})


def recipes(results: Results, run_id: str = RUN_ID) -> list[Recipe]:
    tables = read_run(results, run_id)
    return read_recipes(tables.trials, tables, list_runs(results))


def test_every_row_makes_its_own_key_and_its_own_stop_rule(published: Results):
    found = recipes(published)
    assert len(found) == 20
    assert all(each.training.key == each.key and not each.faults for each in found)
    assert {each.training.rules for each in found} == {(StopRule(epochs=n),) for n in (1, 2, 5, 10, 20)}


def test_the_inputs_are_those_recorded_in_the_run_that_trained_it(published: Results):
    inputs = recipes(published)[0].inputs
    assert inputs["processor"] == "A processor with two cores"
    assert (inputs["uncommitted changes"], inputs["kind of device"], inputs["device"]) == ("no", "CPU", "CPU")
    publish_run(published, LATER)
    tamper(published, RUN_ID, "runs", {"git_commit": "e" * 40, "git_diff_sha256": "f" * 64})
    tamper(published, LATER, "trials", {"trained_by": RUN_ID, "reused": True})
    found = recipes(published, LATER)[0].inputs
    assert (found["git commit"], found["uncommitted changes"]) == ("e" * 40, "f" * 64)
    tamper(published, RUN_ID, "trials", {"trained_by": "20200101-000000-gone", "reused": True})
    assert recipes(published)[0].inputs["git commit"] == "not recorded"


@pytest.mark.parametrize(
    ("table", "changes", "fault"),
    [
        ("trials", {"seed": 9}, "seed is 9 in `trials` and 1 in `trainings`"),
        ("trials", {"learning_rate": 0.5}, "learning_rate is 0.5 in `trials` and 0.01 in `trainings`"),
        ("trainings", {"filters": 64}, "filters is 32 in `trials` and 64 in `trainings`"),
        ("trials", {"value": 7.0}, "epochs is 1, and the exercise's value 7"),
        (
            "trials",
            {"parameter": "schedule", "setting": "schedule=cosine"},
            "its values are schedule=constant, and its setting schedule=cosine",
        ),
        (
            "trials",
            {"parameter": "epochs, filters", "setting": "epochs=1, filters=8"},
            "its values are epochs=1, filters=32, and its setting epochs=1, filters=8",
        ),
        ("trials", {"protocol": "held-out"}, "protocol is held-out in `trials` and lab in `runs`"),
        ("runs", {"data_fingerprint": "e" * 64}, "is 0123456789… in `trials` and eeeeeeeeee…"),
        ("trials", {"weights_sha256": "e" * 64}, "weights_sha256 is eeeeeeeeee… in `trials` and "),
        ("epochs", {"test_accuracy": 0.5}, "and 0.5 in `epochs`"),
        ("trials", {"epochs_run": 3}, "epochs_run is 3; with epochs 1 the losses in `epochs` make it 1"),
        ("trials", {"model_version": "7"}, "its columns make the key "),
        ("runs", {"device": "GPU"}, "its columns make the key "),
    ],
)
def test_what_was_changed_in_one_table_is_named(
    published: Results, table: str, changes: dict[str, object], fault: str
):
    tamper(published, RUN_ID, table, changes)
    assert fault in "; ".join(recipes(published)[0].faults)


def test_a_seed_that_was_changed_everywhere_makes_another_key(published: Results):
    for table in ("trials", "trainings", "epochs"):
        tamper(published, RUN_ID, table, {"seed": 9})
    (fault,) = recipes(published)[0].faults
    assert fault.startswith("its columns make the key ")
    assert fault.endswith(f", recorded is {recipes(published)[0].key}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": -1.0}, "trial 4/epochs=1/1 of run .*: learning_rate is -1.0: Input should be gr"),
        ({"engine": "abacus"}, "engine is 'abacus'"),
        ({"versions": "[1]"}, r"versions is \[1\]: Input should be a valid dictionary"),
        ({"versions": "{"}, "of run .*: Expecting property name .*; no run publishes this"),
    ],
)
def test_what_no_training_could_have_had_is_bad_input(
    published: Results, changes: dict[str, object], message: str
):
    tamper(published, RUN_ID, "trials", changes)
    with pytest.raises(InputError, match=message):
        recipes(published)


# Which rows are replayed.


def make_rows() -> list[TrialRow]:
    """Seven completed trials of three settings and a fourth exercise, and one that failed."""
    (template, *_) = make_trials(make_small_study())
    rows = [
        changed(template, exercise=2, setting=f"filters={n}", repeat=repeat, key=f"key{n}{repeat}")
        for n in (2, 4, 8)
        for repeat in (1, 2)
    ]
    dead = {"setting": "filters=9", "key": "dead", "status": Status.FAILED, "weights_sha256": None}
    return [*rows, changed(rows[0], exercise=4, setting="epochs=1"), changed(rows[1], **dead)]


ROWS = make_rows()


def names(trials: list[TrialRow]) -> list[str]:
    return [name_trial(each) for each in trials]


@pytest.mark.parametrize(
    ("keys", "trials", "chosen"),
    [
        (["key21"], [], ["2/filters=2/1", "4/epochs=1/1"]),  # every row that reads the key
        ([], ["key42"], ["2/filters=4/2"]),  # a key given as a trial
        (["key42"], ["2/filters=4/2", "2/filters=2/1"], ["2/filters=2/1", "2/filters=4/2"]),
    ],
)
def test_each_row_that_is_asked_for_comes_once_in_the_tables_order(keys, trials, chosen):
    assert names(choose_rows(ROWS, keys, trials, None, 0)) == chosen


def test_a_seed_draws_the_same_completed_rows_again_and_another_one_others():
    draws = [names(choose_rows(ROWS, (), (), 3, seed)) for seed in (1, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len({tuple(each) for each in draws}) > 1
    assert all(len(set(each)) == 3 for each in draws)
    assert "2/filters=9/2" not in names(choose_rows(ROWS, (), (), 7, 0))


NOT_THERE = "no completed trial of this run; there are"


@pytest.mark.parametrize(
    ("keys", "trials", "number", "message"),
    [
        ((), (), None, "nothing to replay: give keys, --trial or --random N; there are 2/filters=2/1"),
        (["nokey"], (), None, f"'nokey': {NOT_THERE} .* and 1 more"),
        (["dead"], (), None, f"'dead': {NOT_THERE}"),
        ((), ["filters=2"], None, f"'filters=2': {NOT_THERE}"),
        ((), ["2/filters=2/3"], None, f"'2/filters=2/3': {NOT_THERE}"),
        ((), ["2/filters=9/2"], None, f"'2/filters=9/2': {NOT_THERE}"),
        ((), (), 0, "--random: 0 is not allowed; the run has 7 completed trials"),
        ((), (), 8, "--random: 8 is not allowed; the run has 7 completed trials"),
    ],
)
def test_what_cannot_be_chosen_is_answered_with_what_can(keys, trials, number, message):
    with pytest.raises(InputError, match=message):
        choose_rows(ROWS, keys, trials, number, 0)


# What is trained again.

KIND = Device("CPU").kind


@pytest.fixture(autouse=True)
def _retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_on_lanes, "RETRY_SECONDS", [0.0, 0.0])


def make(dataset: Dataset, epochs: int = 1, engine: str = ENGINE, **changes: object) -> Recipe:
    """A recipe of this dataset and of today, whose recorded readings nothing gives."""
    template = make_recipe(images=dataset.test_count)
    source = template.training.source.model_copy(
        update={"data": dataset.fingerprint, "engine": engine, "model": MODEL_VERSION}
    )
    training = Training(
        hyperparameters=Hyperparameters(filters=2), seed=1, source=source,
        rules=(StopRule(epochs=epochs),), label=f"epochs={epochs}",
    )  # fmt: skip
    update = {"training": training, "key": training.key, "train_images": dataset.train_count}
    recipe = template.model_copy(update={**update, "trial": f"4/epochs={epochs}/1"})
    versions = {"versions": library_versions(engine), "device": KIND, "processor": processor_name()}
    inputs = replay.list_inputs(recipe, dataset, KIND, Segment.model_construct(**versions))
    return recipe.model_copy(update={"inputs": inputs, **changes})


def run(retrainings: list[replay.Retraining]) -> list[Replay]:
    found = replay.retrain(retrainings, LocalLanes([Device("CPU")]))
    return [each for _, judged, _ in found for each in judged]


def test_recipes_of_one_training_are_trained_once_each_reading_its_own_epoch(dataset: Dataset):
    refused, retrainings = replay.sort_out([make(dataset, 1), make(dataset, 2)], dataset, KIND)
    assert (refused, len(retrainings)) == ([], 1)
    found = run(retrainings)
    assert [each.found.epochs_run for each in found if each.found] == [1, 2]
    assert {each.verdict for each in found} == {"differs"}
    assert "and no recorded input differs" in found[0].reason


def test_longer_trainings_come_first(dataset: Dataset):
    short = make(dataset, seconds=1.0)
    seeded = short.training.model_copy(update={"seed": 2})
    long = make(dataset, training=seeded, key="another", seconds=9.0)
    _, retrainings = replay.sort_out([short, long], dataset, KIND)
    assert [each.seconds for each in retrainings] == [9.0, 1.0]


@pytest.mark.parametrize(
    ("name", "recorded", "here"), [("model version", "0", MODEL_VERSION), ("kind of device", "GPU", "CPU")]
)
def test_what_is_of_another_model_or_kind_of_device_is_refused_and_not_trained(
    dataset: Dataset, name: str, recorded: str, here: str
):
    recipe = make(dataset)
    other = recipe.model_copy(update={"inputs": {**recipe.inputs, name: recorded}})
    refused, retrainings = replay.sort_out([other], dataset, KIND)
    assert retrainings == []
    assert f"{name}: {recorded} → {here}" in refused[0].reason


def test_an_engine_that_cannot_be_used_here_is_named(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail() -> None:
        raise NativeUnavailable("there is no C++ compiler")

    recipe = make(dataset)
    source = recipe.training.source.model_copy(update={"engine": "native"})
    native = recipe.model_copy(
        update={
            "training": recipe.training.model_copy(update={"source": source}),
            "inputs": {**recipe.inputs, "engine": "native"},
        }
    )
    monkeypatch.setattr(choose_engine, "prepare_native_library", fail)
    choose_engine._why_not.cache_clear()
    refused, retrainings = replay.sort_out([native], dataset, KIND)
    choose_engine._why_not.cache_clear()
    assert retrainings == []
    assert refused[0].reason == "not trained, as it would be another training: engine: native → tensorflow"
    assert "the native engine cannot be used: there is no C++ compiler" in caplog.text


def test_a_training_that_fails_each_time_is_a_verdict_and_the_others_go_on(dataset: Dataset):
    sound, broken = make(dataset), make(dataset, trial="2/broken/1")
    unusable = broken.training.model_copy(
        update={"hyperparameters": None, "label": "broken", "key": "0" * 16}
    )
    retrainings = [
        replay.Retraining(sound.training, (sound,), dataset),
        replay.Retraining(unusable, (broken,), dataset),
    ]
    found = {each.trial: each for each in run(retrainings)}
    assert found["2/broken/1"].reason.startswith("not trained: AttributeError: ")
    assert found["4/epochs=1/1"].found is not None


def test_a_lane_that_dies_costs_an_attempt_and_no_verdict(dataset: Dataset):
    recipe = make(dataset)
    with InProcessLane() as lanes:
        run_once, failures = lanes._run_on, iter([LaneDied("lane-0 died")])

        def die_first(attempt: Attempt) -> object:
            for failure in failures:
                raise failure
            return run_once(attempt)

        lanes._run_on = die_first  # type: ignore[method-assign]
        ((_, (found,), seconds),) = replay.retrain(
            [replay.Retraining(recipe.training, (recipe,), dataset)], lanes
        )
    assert found.found is not None and seconds > 0


def test_of_a_training_that_diverges_the_epochs_before_are_read(dataset: Dataset, results: Results):
    short, long = make(dataset, 2), make(dataset, 3)
    plant_divergence(short.training, dataset, results)
    retraining = replay._merge([short, long], dataset)
    diverged = replay._train(retraining, results, InProcessLane())
    read, failure = replay._read(short, diverged)
    assert read is not None and read.epochs_run == 2 and failure == ""
    assert replay._read(long, diverged) == (None, "not trained: the loss is nan in epoch 3")
