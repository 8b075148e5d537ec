import pytest
from pydantic import ValidationError

from study.spec.data import DataSlice
from study.spec.setting import Hyperparameters, Setting, check_changes, learning_rate_at
from study.spec.study import Study
from study.spec.study_file import read_study
from study.spec.sweeps import ParameterSweep


def _sweep(number: int = 2, parameter: str = "filters", **changes: object) -> ParameterSweep:
    fields = {"title": "T", "question": "Q?", "number": number, "kind": "sweep", "repeats": 2}
    return ParameterSweep.model_validate({**fields, "parameter": parameter, "values": (8, 16), **changes})


def _study(*exercises: object, **changes: object) -> Study:
    fields = {"name": "mine", "title": "T", "exercises": exercises or (_sweep(),)}
    return Study.model_validate({**fields, **changes})


def test_the_defaults_are_the_published_protocol():
    published = {"filters": 32, "kernel_size": 3, "dense_units": 16, "dropout": 0.0}
    steps = {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 32, "schedule": "constant"}
    beyond = {"augmentation": "none", "averaging": 0.0, "optimizer": "sgd", "weight_decay": 0.0}
    assert Hyperparameters().model_dump() == published | steps | beyond
    assert Setting().model_dump() == published | steps | beyond | {"epochs": 5, "patience": None}


def test_changes_to_a_setting_are_checked_again():
    assert Setting().with_changes({"filters": 64.0}) == Setting(filters=64)
    with pytest.raises(ValidationError, match="less than or equal to 27"):
        Setting().with_changes({"kernel_size": 28})


def test_hyperparameters_leave_out_how_long_to_train():
    assert Setting(filters=8, epochs=20, patience=3).hyperparameters == Hyperparameters(filters=8)
    assert type(Setting().hyperparameters) is Hyperparameters


def test_checked_changes_have_the_parameters_types():
    checked = check_changes({"filters": 64.0, "dropout": 0})
    assert checked == {"filters": 64, "dropout": 0.0}
    assert [type(value) for value in checked.values()] == [int, float]


def test_a_constant_schedule_keeps_the_learning_rate():
    assert [learning_rate_at(Hyperparameters(), epoch, None) for epoch in (1, 7, 1000)] == [0.01] * 3


def test_a_cosine_schedule_falls_from_the_rate_towards_zero_over_its_budget():
    cosine = Hyperparameters(schedule="cosine", learning_rate=0.2)
    rates = [learning_rate_at(cosine, epoch, 4) for epoch in (1, 2, 3, 4)]
    assert rates == pytest.approx([0.2, 0.2 * 0.853553, 0.1, 0.2 * 0.146447], abs=1e-6)
    assert learning_rate_at(cosine, 5, 4) == pytest.approx(0.0)


def test_only_a_schedule_that_is_not_constant_depends_on_the_epoch_budget():
    assert Setting(epochs=7).schedule_epochs is None
    assert Setting(epochs=7, schedule="cosine").schedule_epochs == 7


def test_a_sweep_gives_one_setting_a_value_and_holds_the_rest():
    sweep = _sweep(parameter="dropout", values=(0.3, 0.0), fixed={"epochs": 20, "patience": 3})
    held = Setting(filters=64, epochs=20, patience=3)
    assert sweep.settings(Setting(filters=64)) == {0.3: held.with_changes({"dropout": 0.3}), 0.0: held}
    assert list(sweep.settings(Setting())) == [0.3, 0.0]


def test_every_hyperparameter_that_is_a_number_can_be_swept():
    values = {"filters": 8, "kernel_size": 5, "dense_units": 8, "dropout": 0.5, "learning_rate": 0.1}
    values |= {"momentum": 0.5, "batch_size": 64, "averaging": 0.5, "weight_decay": 0.1}
    values |= {"epochs": 2, "patience": 2}
    words = {"schedule", "augmentation", "optimizer"}
    assert Setting.model_fields.keys() - values.keys() == words | {"network_parameters"}
    for name, value in values.items():
        settings = _sweep(parameter=name, values=(value,)).settings(Setting())
        assert settings == {value: Setting(**{name: value})}


def test_only_budgets_without_a_schedule_over_them_read_prefixes_of_the_same_trainings():
    budgets = _sweep(parameter="epochs")
    assert budgets.reads_prefixes(Setting())
    assert not budgets.reads_prefixes(Setting(schedule="cosine"))
    assert not _sweep(parameter="epochs", fixed={"schedule": "cosine"}).reads_prefixes(Setting())
    assert not _sweep(parameter="epochs", values=(8,)).reads_prefixes(Setting())
    assert not _sweep().reads_prefixes(Setting())


def test_a_study_without_exercises_is_refused():
    with pytest.raises(ValidationError, match="exercises: the list is empty; give at least one exercise"):
        Study(name="mine", title="T", exercises=())


def test_holding_out_every_training_image_is_refused_under_held_out_only():
    data = DataSlice(train_images=1000, held_out_images=1000)
    assert _study(data=data).protocol == "lab"
    with pytest.raises(ValidationError, match="held_out_images=1000 leaves nothing of train_images=1000"):
        _study(data=data, protocol="held-out")


def test_seeds_count_up_from_the_studys_seed():
    assert [_study(seed=7).seed_of(repeat) for repeat in (1, 2, 3)] == [7, 8, 9]


def test_a_study_gives_its_exercises_by_kind():
    lab = read_study("lab")
    assert [each.number for each in lab.sweeps] == [2, 3, 4, 5, 6]
    singles = (lab.images, lab.optimum, lab.model_exercise)
    assert [each.number for each in singles if each] == [1, 7, 8]
    assert (_study().images, _study().optimum, _study().model_exercise) == (None, None, None)


def test_some_exercises_of_a_study_keep_the_rest_of_it():
    lab = read_study("lab")
    some = lab.only(frozenset({6, 2}))
    assert [each.number for each in some.exercises] == [2, 6]
    assert some.model_copy(update={"exercises": lab.exercises}) == lab


def test_a_study_survives_json():
    lab = read_study("lab")
    assert Study.model_validate_json(lab.model_dump_json()) == lab
