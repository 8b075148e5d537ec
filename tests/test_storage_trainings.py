import logging
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from storage.place import Results, open_results
from storage.trainings import (
    Weights,
    find_training,
    hash_weights,
    read_record,
    read_weights,
    save_training,
)
from study.errors import InputError
from study.plan import Training
from study.spec import Setting
from study.stopping import StopRule
from study.training_record import TrainingRecord
from tests.frames import make_records, make_source, make_study

EPOCHS = (2, 5)
"""Where the trials of the training below end."""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(tmp_path / "results")


@cache
def make_training() -> Training:
    """A training of the baseline that a trial of two epochs and one of five read."""
    return Training(
        hyperparameters=Setting().hyperparameters,
        seed=1,
        source=make_source(make_study()),
        rules=tuple(StopRule(epochs=epochs) for epochs in EPOCHS),
        label="baseline seed=1",
    )


def make_weights(epoch: int) -> Weights:
    """A kernel and a bias, other ones after every epoch."""
    random = np.random.default_rng(epoch)
    return [random.normal(size=shape).astype(np.float32) for shape in ((3, 3, 1, 2), (2,))]


@cache
def make_record() -> TrainingRecord:
    """The finished training, five epochs long, with the hashes of its weights."""
    record = next(
        each for each in make_records(make_study().only(frozenset({4}))) if each.key == make_training().key
    )
    epochs = tuple(
        epoch.model_copy(update={"weights_sha256": hash_weights(make_weights(epoch.epoch))})
        for epoch in record.epochs[: max(EPOCHS)]
    )
    return record.model_copy(update={"epochs": epochs})


def save(results: Results) -> TrainingRecord:
    """Save the finished training with its weights."""
    record = make_record()
    save_training(results, record, {epoch: make_weights(epoch) for epoch in EPOCHS})
    return record


def _file(results: Results, name: str) -> Path:
    path = results.trainings / make_record().key / name
    assert path.is_file()
    return path


def test_a_saved_training_is_found_with_its_weights(results: Results):
    record = save(results)
    assert find_training(results, make_training()) == record
    for epoch in EPOCHS:
        found = read_weights(results, record, epoch)
        assert all(map(np.array_equal, found, make_weights(epoch)))


def test_more_than_ten_arrays_come_back_in_their_order(results: Results):
    weights = [np.array([number]) for number in range(12)]
    epoch = make_record().epochs[0].model_copy(update={"weights_sha256": hash_weights(weights)})
    record = make_record().model_copy(update={"epochs": (epoch,)})
    save_training(results, record, {1: weights})
    assert [int(array[0]) for array in read_weights(results, record, 1)] == list(range(12))


def test_a_training_is_saved_as_its_weights_and_its_record_only(results: Results):
    record = save(results)
    names = {path.name for path in (results.trainings / record.key).iterdir()}
    assert names == {"record.json", "weights-2.npz", "weights-5.npz"}


def test_a_training_never_saved_is_not_found_and_not_told_of(
    results: Results, caplog: pytest.LogCaptureFixture
):
    assert find_training(results, make_training()) is None
    assert read_record(results, make_training().key) is None
    assert caplog.records == []


def test_a_training_of_another_seed_is_not_found(results: Results):
    save(results)
    assert find_training(results, make_training().model_copy(update={"seed": 2})) is None


def test_a_training_too_short_for_a_trial_is_not_found(results: Results):
    save(results)
    longer = make_training().model_copy(update={"rules": (StopRule(epochs=6),)})
    assert find_training(results, longer) is None


def test_a_training_without_the_weights_of_one_of_its_trials_is_not_found(results: Results):
    save(results)
    _file(results, "weights-2.npz").unlink()
    assert find_training(results, make_training()) is None
    longest = make_training().model_copy(update={"rules": (StopRule(epochs=5),)})
    assert find_training(results, longest) == make_record()


def test_a_training_without_a_record_is_not_found(results: Results):
    save(results)
    _file(results, "record.json").unlink()
    assert find_training(results, make_training()) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b'{"key": "'])
def test_a_damaged_record_is_told_of_and_counts_as_missing(
    results: Results, caplog: pytest.LogCaptureFixture, content: bytes
):
    save(results)
    path = _file(results, "record.json")
    path.write_bytes(content)
    assert find_training(results, make_training()) is None
    (told,) = caplog.records
    assert told.levelno == logging.WARNING
    assert told.getMessage().startswith(f"{path} is damaged and counts as missing: ")
    assert "\n" not in told.getMessage()


def test_a_record_cut_short_counts_as_missing_until_it_is_saved_again(
    results: Results, caplog: pytest.LogCaptureFixture
):
    record = save(results)
    path = _file(results, "record.json")
    path.write_bytes(path.read_bytes()[:-10])
    assert find_training(results, make_training()) is None
    assert "is damaged and counts as missing" in caplog.text
    save(results)
    assert find_training(results, make_training()) == record


def test_a_record_under_the_key_of_another_is_told_of_and_counts_as_missing(
    results: Results, caplog: pytest.LogCaptureFixture
):
    record = save(results)
    path = results.trainings / "0123456789abcdef" / "record.json"
    path.parent.mkdir()
    path.write_bytes(_file(results, "record.json").read_bytes())
    assert read_record(results, "0123456789abcdef") is None
    assert caplog.messages == [f"{path} holds training {record.key}; it counts as missing"]


def test_missing_weights_are_answered_with_what_to_delete(results: Results):
    record = save(results)
    folder = results.trainings / record.key
    message = f"No such file or directory: '{folder}/weights-3.npz'; delete the folder {folder} and run again"
    with pytest.raises(InputError, match=re.escape(message)):
        read_weights(results, record, 3)


@pytest.mark.parametrize("size", [0, 1, 100, 300, -1])
def test_weights_cut_short_are_answered_with_what_to_delete(results: Results, size: int):
    record = save(results)
    path = _file(results, "weights-5.npz")
    path.write_bytes(path.read_bytes()[:size])
    message = f"^{re.escape(str(path))}: .+; delete the folder {re.escape(str(path.parent))} and run again$"
    with pytest.raises(InputError, match=message):
        read_weights(results, record, 5)


def test_no_damaged_byte_of_the_weights_does_harm_unnoticed(results: Results):
    record = save(results)
    path = _file(results, "weights-5.npz")
    sound = path.read_bytes()
    for position in range(0, len(sound), 3):
        path.write_bytes(sound[:position] + bytes([sound[position] ^ 0x80]) + sound[position + 1 :])
        try:
            weights = read_weights(results, record, 5)
        except InputError as error:
            assert "delete the folder" in str(error)
        else:
            assert all(map(np.array_equal, weights, make_weights(5)))


def test_weights_of_another_epoch_are_answered_with_both_hashes(results: Results):
    record = save(results)
    path = _file(results, "weights-5.npz")
    path.write_bytes(_file(results, "weights-2.npz").read_bytes())
    found, expected = (record.epochs[epoch - 1].weights_sha256[:12] for epoch in EPOCHS)
    message = f"{path}: weights hash {found}, expected {expected}; delete the folder {path.parent}"
    with pytest.raises(InputError, match=re.escape(message)):
        read_weights(results, record, 5)


def test_the_hash_of_weights_knows_values_shapes_types_and_order():
    one, two = np.zeros((2, 3), np.float32), np.ones(3, np.float32)
    others = [[two, one], [one.T, two], [one.astype(np.float64), two], [one + 1, two], [one]]
    hashes = {hash_weights(weights) for weights in ([one, two], *others)}
    assert len(hashes) == 6
    assert hash_weights([np.asfortranarray(one + 1)]) == hash_weights([one + 1])
