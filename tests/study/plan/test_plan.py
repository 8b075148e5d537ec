import hashlib
import json
from collections import defaultdict

from study.plan.plan import (
    Plan,
    Trial,
    candidate_trials,
    compile_plan,
    key_of,
    list_trials,
    training_key,
    training_label,
)
from study.records.record import Source, StopRule
from study.spec.exercises import OptimumExercise
from study.spec.setting import Hyperparameters, Setting
from study.spec.study import Study
from study.spec.study_file import read_study

SOURCE = Source(
    protocol="lab", data="ab" * 32, held_out_images=0, model="1", tensorflow="2.21.0", device="CPU"
)


def _lab_plan() -> Plan:
    lab = read_study("lab")
    return compile_plan(lab, list_trials(lab), SOURCE)


def _study(
    parameter: str, *values: float, repeats: int = 1, fixed: dict[str, float] | None = None, **changes: object
) -> Study:
    sweep = {"number": 2, "kind": "sweep", "title": "T", "question": "Q?", "parameter": parameter}
    sweep["fixed"] = fixed or {}
    exercises = [{**sweep, "values": values, "repeats": repeats}]
    return Study.model_validate({"name": "mine", "title": "T", "exercises": exercises, **changes})


def _most_epochs(plan: Plan) -> int:
    return sum(training.most_epochs for training in plan.trainings)


def test_the_lab_study_needs_82_trainings_and_trains_fewer_epochs_than_it_asks_for():
    # The baseline's five seeds answer one setting of each of exercises 2, 3, 5 and 6, and all of exercise 4.
    baseline, filters, units, rates, dropouts, published = 5, 4 * 5, 4 * 5, 4 * 4, 5 * 4, 1
    plan = _lab_plan()
    assert len(plan.trainings) == baseline + filters + units + rates + dropouts + published == 82
    assert len({training.key for training in plan.trainings}) == 82
    assert plan.epochs_asked == 25 * 5 + 25 * 5 + 4 * (1 + 2 + 5 + 10 + 20) + 20 * 5 + 24 * 20 + 7 == 989
    # The baseline's seeds 1 to 4 are trained to 20 epochs, its seed 5 to 5.
    assert _most_epochs(plan) == 4 * 20 + 5 + 20 * 5 + 20 * 5 + 16 * 5 + 20 * 20 + 7 == 772


def test_every_repeat_of_a_setting_has_its_own_seed_and_training():
    repeats: dict[tuple[int, str], list[Trial]] = defaultdict(list)
    for trial in _lab_plan().trials:
        repeats[trial.exercise, trial.name].append(trial)
    for trials in repeats.values():
        numbers = list(range(1, len(trials) + 1))
        assert [trial.repeat for trial in trials] == numbers
        assert [trial.seed for trial in trials] == numbers
        assert len({key_of(trial, SOURCE) for trial in trials}) == len(trials)


def test_every_trial_finds_its_rule_in_the_training_it_reads():
    plan = _lab_plan()
    rules = {training.key: training.rules for training in plan.trainings}
    assert all(trial.rule in rules[key_of(trial, SOURCE)] for trial in plan.trials)


def test_a_training_knows_the_rule_of_every_trial_that_reads_it():
    training = next(each for each in _lab_plan().trainings if each.label == "baseline seed=1")
    budgets = [StopRule(epochs=epochs) for epochs in (1, 2, 5, 10, 20)]
    assert training.rules == (*budgets, StopRule(epochs=20, patience=3))
    assert training.most_epochs == 20


def test_a_key_is_the_same_today_as_yesterday():
    # Should this fail, nobody's saved trainings are found any more: it had better be meant.
    assert training_key(Hyperparameters(), 1, SOURCE) == "75845ae9eb74c24d"


def test_without_sharing_every_trial_has_a_training_of_its_own():
    lab = read_study("lab")
    plan = compile_plan(lab, list_trials(lab), SOURCE, sharing=False)
    assert len(plan.trainings) == len(plan.trials) == 115
    assert _most_epochs(plan) == plan.epochs_asked == 989


def test_a_schedule_that_changes_with_time_is_no_prefix_and_is_not_shared_across_budgets():
    study = _study("epochs", 5, 10, repeats=2, baseline={"schedule": "cosine"})
    plan = compile_plan(study, list_trials(study), SOURCE)
    assert _most_epochs(plan) == plan.epochs_asked == 30
    keys = {training.key: training for training in plan.trainings}
    assert len(keys) == len(plan.trials) == 4
    assert all(keys[key_of(trial, SOURCE)].rules == (trial.rule,) for trial in plan.trials)
    assert {training.label for training in plan.trainings} == {
        f"baseline epochs={epochs} seed={seed}" for epochs in (5, 10) for seed in (1, 2)
    }


def test_trials_of_one_budget_share_whatever_the_schedule():
    study = _study("dropout", 0.0, repeats=1, baseline={"schedule": "cosine"}, fixed={"patience": 3})
    both = list_trials(study) + list_trials(_study("dropout", 0.0, baseline={"schedule": "cosine"}))
    (training,) = compile_plan(study, both, SOURCE).trainings
    assert training.rules == (StopRule(epochs=5), StopRule(epochs=5, patience=3))
    assert training.schedule_epochs == 5


def test_a_schedule_and_its_budget_enter_the_key_and_a_constant_one_does_not():
    constant, cosine = Hyperparameters(), Hyperparameters(schedule="cosine")
    assert training_key(constant, 1, SOURCE, None) == "75845ae9eb74c24d"
    keys = {training_key(cosine, 1, SOURCE, epochs) for epochs in (5, 10)}
    assert len(keys | {training_key(constant, 1, SOURCE)}) == 3


def test_a_label_is_distinct_and_says_what_differs_from_the_baseline_without_an_exponent():
    labels = [training.label for training in _lab_plan().trainings]
    assert len(set(labels)) == len(labels)
    assert {"baseline seed=1", "filters=64 seed=3", "dropout=0.5 seed=4"} <= set(labels)
    assert "learning_rate=0.00001 seed=1" in labels
    assert "filters=64 dense_units=250 learning_rate=0.001 seed=1" in labels


def test_a_label_says_how_images_are_augmented_and_weights_averaged():
    changed = Hyperparameters(augmentation="flip-shift", averaging=0.9)
    assert training_label(changed, Setting(), None, 3) == "augmentation=flip-shift averaging=0.9 seed=3"


ADDED = {"optimizer", "weight_decay", "keras", "images", "network", "network_parameters"}
"""What enters a key only where the general engine trains; the fingerprint of the data covers the images."""


def test_what_our_engines_do_not_compute_the_general_one_trains_and_other_keys_stay():
    run = SOURCE.model_copy(update={"engine": "native", "tensorflow": "", "keras": "Keras 3, TensorFlow 2"})
    study = _study("learning_rate", 0.01, fixed={"optimizer": "adam"})
    (adam,) = compile_plan(study, list_trials(study), run).trainings
    (sgd,) = compile_plan(study, list_trials(_study("learning_rate", 0.01)), run).trainings
    assert (adam.source.engine, adam.source.keras) == ("keras", "Keras 3, TensorFlow 2")
    assert (sgd.source.engine, sgd.source.keras) == ("native", "")
    assert sgd.key == training_key(Hyperparameters(), 1, run.model_copy(update={"keras": ""}))
    assert adam.key == training_key(adam.hyperparameters, 1, run) == key_of(list_trials(study)[0], run)
    others = [{"optimizer": "rmsprop"}, {"weight_decay": 0.01}, {"optimizer": "adam", "weight_decay": 0.01}]
    keys = {training_key(Hyperparameters(**each), 1, run) for each in others}
    assert len(keys | {adam.key, sgd.key}) == 5
    assert adam.key != training_key(adam.hyperparameters, 1, run.model_copy(update={"keras": "Keras 4"}))


def test_a_trial_is_named_by_its_parameter_and_value():
    trials = list_trials(_study("learning_rate", 0.00001, 1))
    assert [trial.name for trial in trials] == ["learning_rate=0.00001", "learning_rate=1"]


def test_a_candidate_has_a_name_in_place_of_a_value():
    trial = list_trials(read_study("lab"))[-1]
    assert (trial.exercise, trial.parameter, trial.value, trial.name) == (7, "candidate", None, "published")
    assert (trial.setting.filters, trial.setting.dense_units, trial.setting.epochs) == (64, 250, 7)
    assert trial.setting.batch_size == read_study("lab").baseline.batch_size


def test_the_combination_is_a_candidate_with_the_optimums_repeats():
    lab = read_study("lab")
    assert lab.optimum is not None
    optimum = lab.optimum.model_copy(update={"repeats": 3})
    thrice = lab.model_copy(update={"exercises": (*lab.exercises[:6], optimum, lab.exercises[7])})
    trials = candidate_trials(thrice, "combination", Setting(filters=128))
    assert [(trial.name, trial.repeat, trial.seed) for trial in trials] == [
        ("combination", 1, 1),
        ("combination", 2, 2),
        ("combination", 3, 3),
    ]
    assert {(trial.exercise, trial.value, trial.setting.filters) for trial in trials} == {(7, None, 128)}


def test_a_combination_already_trained_needs_no_training_of_its_own():
    lab = read_study("lab")
    swept = list_trials(lab)
    combination = candidate_trials(lab, "combination", lab.baseline.with_changes({"dropout": 0.3}))
    assert len(compile_plan(lab, swept + combination, SOURCE).trainings) == 82


def test_a_study_without_an_optimum_has_no_candidates():
    study = _study("filters", 8)
    assert candidate_trials(study, "combination", Setting()) == ()
    assert [trial.parameter for trial in list_trials(study)] == ["filters"]


def test_a_training_knows_the_exercises_that_read_it():
    plan = _lab_plan()
    baseline = next(trial for trial in plan.trials if trial.exercise == 4 and trial.seed == 1)
    assert plan.exercises[key_of(baseline, SOURCE)] == (2, 3, 4, 5, 6)
    assert set(plan.exercises) == {training.key for training in plan.trainings}
    assert {number for numbers in plan.exercises.values() for number in numbers} == {2, 3, 4, 5, 6, 7}


def test_a_key_is_the_hash_of_what_decides_the_weights_written_as_canonical_json():
    # Written out: a name that changes here would have every kept training trained again.
    written = (
        '{"augmentation":"flip","averaging":0.5,"batch_size":32,"data":"' + "ab" * 32 + '","dense_units":16,'
        '"device":"CPU","dropout":0.0,"engine":"native","filters":32,"held_out_images":0,"kernel_size":3,'
        '"learning_rate":0.01,"model":"1","momentum":0.9,"protocol":"lab","schedule":"cosine",'
        '"schedule_epochs":5,"seed":1,"tensorflow":"2.21.0"}'
    )
    hyperparameters = Hyperparameters(schedule="cosine", augmentation="flip", averaging=0.5)
    native = SOURCE.model_copy(update={"engine": "native"})
    given = Hyperparameters.model_fields.keys() | Source.model_fields.keys()
    assert json.loads(written).keys() == (given - ADDED) | {"seed", "schedule_epochs"}
    expected = hashlib.sha256(written.encode()).hexdigest()[:16]
    assert training_key(hyperparameters, 1, native, 5) == expected


def test_an_exercise_asks_for_its_candidates_its_combination_and_its_finalists_by_repeats():
    told = {"number": 7, "title": "t", "question": "q", "kind": "optimum", "repeats": 10}
    two = {"candidates": {"a": {"filters": 8}, "b": {"filters": 16}}}
    search = {"space": {"filters": [8, 16]}, "trainings": 1, "finalists": 4}
    counts = [
        OptimumExercise.model_validate({**told, **each}).trial_count
        for each in (two, {**two, "combine": [2, 3]}, {**two, "search": search})
    ]
    assert counts == [20, 30, 10 * (2 + 4 + 1)]
