"""The cache of trainings: whole or not at all, checked against hashes, gone on with, listed and removed."""

import json
import logging
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from storage.results import Results
from storage.trainings import (
    Arrays,
    DamagedTraining,
    find_training,
    hash_weights,
    list_keys,
    measure_training,
    read_checkpoint,
    read_records,
    read_weights,
    remove_training,
    save_training,
    verify_training,
)
from study.errors import InputError
from study.plan.plan import Training, training_key
from study.records.record import StopRule, TrainingRecord
from study.spec.setting import Setting
from tests import simulated
from tests.frames import make_record, make_source, make_study

KEPT = (2, 5)
"""Where the trials of the training below end."""


def make_arrays(epoch: int) -> Arrays:
    """A kernel and a bias, other ones after every epoch."""
    random = np.random.default_rng(epoch)
    return [random.normal(size=shape).astype(np.float32) for shape in ((3, 3, 1, 2), (2,))]


def make_optimizer() -> Arrays:
    """A step count and a momentum."""
    return [np.array(9375, np.int64), np.ones(3, np.float32)]


@cache
def make_finished(seed: int = 1) -> TrainingRecord:
    """A finished training of the baseline, five epochs long, with the hashes of its weights."""
    training = Training(
        hyperparameters=Setting().hyperparameters,
        seed=seed,
        source=make_source(make_study()),
        rules=tuple(StopRule(epochs=epochs) for epochs in KEPT),
        label=f"baseline seed={seed}",
    )
    epochs = [
        epoch.model_copy(update={"weights_sha256": hash_weights(make_arrays(epoch.epoch))})
        for epoch in simulated.train(training.hyperparameters, seed)[: max(KEPT)]
    ]
    hashes = {"kept_weights": KEPT, "optimizer_sha256": hash_weights(make_optimizer())}
    return make_record(training, epochs).model_copy(update=hashes)


def save(results: Results, record: TrainingRecord | None = None) -> TrainingRecord:
    """Save a finished training with its weights and optimizer."""
    record = record or make_finished()
    weights = {epoch: make_arrays(epoch) for epoch in record.kept_weights}
    save_training(results, record, weights, make_optimizer())
    return record


def _file(results: Results, name: str) -> Path:
    path = results.trainings / make_finished().key / name
    assert path.is_file()
    return path


def test_a_saved_training_is_found_with_its_weights(results: Results):
    record = save(results)
    assert find_training(results, record.key) == record
    for epoch in KEPT:
        found = read_weights(results, record, epoch)
        assert found is not None
        assert all(map(np.array_equal, found, make_arrays(epoch)))


def test_more_than_ten_arrays_come_back_in_their_order(results: Results):
    weights = [np.array([number]) for number in range(12)]
    epoch = make_finished().epochs[0].model_copy(update={"weights_sha256": hash_weights(weights)})
    record = make_finished().model_copy(update={"epochs": (epoch,), "kept_weights": (1,)})
    save_training(results, record, {1: weights}, make_optimizer())
    found = read_weights(results, record, 1)
    assert found is not None
    assert [int(array[0]) for array in found] == list(range(12))


def test_a_training_is_saved_as_weights_optimizer_and_record_only(results: Results):
    record = save(results)
    names = {path.name for path in (results.trainings / record.key).iterdir()}
    assert names == {"record.json", "weights-2.npz", "weights-5.npz", "optimizer-5.npz"}


def test_a_training_never_saved_is_not_found_and_not_told_of(
    results: Results, caplog: pytest.LogCaptureFixture
):
    assert find_training(results, make_finished().key) is None
    assert list_keys(results) == []
    assert caplog.records == []


def test_a_training_without_a_record_is_not_found(results: Results):
    save(results)
    _file(results, "record.json").unlink()
    assert find_training(results, make_finished().key) is None
    with pytest.raises(DamagedTraining, match="has no record: it was never finished"):
        verify_training(results, make_finished().key)


def test_a_training_can_be_gone_on_with_from_its_last_epoch(results: Results):
    record = save(results)
    checkpoint = read_checkpoint(results, record)
    assert checkpoint is not None
    assert checkpoint.record == record
    assert all(map(np.array_equal, checkpoint.weights, make_arrays(5)))
    assert all(map(np.array_equal, checkpoint.optimizer, make_optimizer()))


@pytest.mark.parametrize("name", ["optimizer-5.npz", "weights-5.npz"])
def test_a_damaged_last_state_is_told_of_and_cannot_be_gone_on_with(
    results: Results, caplog: pytest.LogCaptureFixture, name: str
):
    record = save(results)
    _file(results, name).write_bytes(b"")
    assert read_checkpoint(results, record) is None
    assert f"{name} is damaged: " in caplog.text
    assert "cannot continue this training; starting again" in caplog.text


def test_a_training_whose_optimizer_is_lost_still_answers_its_trials(results: Results):
    record = save(results)
    _file(results, "optimizer-5.npz").unlink()
    assert find_training(results, record.key) == record
    with pytest.raises(DamagedTraining, match=r"optimizer-5\.npz is damaged: No such file"):
        verify_training(results, record.key)


def test_a_longer_training_takes_the_place_of_its_beginning(results: Results):
    short = make_finished().model_copy(update={"epochs": make_finished().epochs[:2], "kept_weights": (2,)})
    save(results, short)
    save(results)
    assert find_training(results, short.key) == make_finished()
    assert not (results.trainings / short.key / "optimizer-2.npz").exists()


def test_weights_that_were_there_already_need_not_be_given_again(results: Results):
    save(results)
    save_training(results, make_finished(), {2: make_arrays(2)}, None)
    assert verify_training(results, make_finished().key) == make_finished()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\x00", b'{"format": 2, "record": {"key": "'])
def test_a_damaged_record_is_told_of_and_counts_as_missing(
    results: Results, caplog: pytest.LogCaptureFixture, content: bytes
):
    record = save(results)
    path = _file(results, "record.json")
    path.write_bytes(content)
    assert find_training(results, record.key) is None
    (told,) = caplog.records
    assert told.levelno == logging.WARNING
    assert told.getMessage().startswith(str(path))
    assert told.getMessage().endswith("; it counts as missing and is trained again")
    assert "\n" not in told.getMessage()


def test_a_record_cut_short_counts_as_missing_until_it_is_saved_again(
    results: Results, caplog: pytest.LogCaptureFixture
):
    record = save(results)
    path = _file(results, "record.json")
    path.write_bytes(path.read_bytes()[:-10])
    assert find_training(results, record.key) is None
    assert "is damaged" in caplog.text
    save(results)
    assert find_training(results, record.key) == record


def test_a_number_changed_in_a_record_is_noticed(results: Results, caplog: pytest.LogCaptureFixture):
    record = save(results)
    path = _file(results, "record.json")
    envelope = json.loads(path.read_text())
    envelope["record"]["epochs"][4]["test_accuracy"] = 0.999
    path.write_text(json.dumps(envelope))
    assert find_training(results, record.key) is None
    assert caplog.messages == [
        f"{path} is damaged: its checksum does not fit; it counts as missing and is trained again"
    ]


def test_a_record_of_an_earlier_format_is_named_as_such(results: Results, caplog: pytest.LogCaptureFixture):
    record = save(results)
    path = _file(results, "record.json")
    path.write_text(json.dumps({"format": 1, "key": record.key, "epochs": []}))
    assert find_training(results, record.key) is None
    assert caplog.messages == [f"{path} has format 1, expected 2; it counts as missing and is trained again"]


def test_a_record_under_the_key_of_another_is_told_of_and_counts_as_missing(
    results: Results, caplog: pytest.LogCaptureFixture
):
    record = save(results)
    path = results.trainings / "0123456789abcdef" / "record.json"
    path.parent.mkdir()
    path.write_bytes(_file(results, "record.json").read_bytes())
    assert find_training(results, "0123456789abcdef") is None
    assert f"{path} holds training {record.key}" in caplog.text


def test_a_record_s_key_is_that_of_what_it_says_it_trained(results: Results):
    record = save(results)
    named = training_key(record.hyperparameters, record.seed, record.source, record.schedule_epochs)
    assert record.key == named


@pytest.mark.parametrize("epoch", KEPT)
def test_a_training_with_missing_weights_counts_as_missing(
    results: Results, caplog: pytest.LogCaptureFixture, epoch: int
):
    record = save(results)
    _file(results, f"weights-{epoch}.npz").unlink()
    assert find_training(results, record.key) is None
    assert f"weights-{epoch}.npz is damaged: No such file or directory" in caplog.text


@pytest.mark.parametrize("size", [0, 1, 100, 300, -1])
def test_a_training_with_weights_cut_short_counts_as_missing(
    results: Results, caplog: pytest.LogCaptureFixture, size: int
):
    record = save(results)
    path = _file(results, "weights-5.npz")
    path.write_bytes(path.read_bytes()[:size])
    assert find_training(results, record.key) is None
    assert f"{path} is damaged: " in caplog.text
    with pytest.raises(InputError, match="run again, and it will be trained again"):
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
            assert "is damaged" in str(error)
        else:
            assert weights is not None
            assert all(map(np.array_equal, weights, make_arrays(5)))


def test_weights_of_another_epoch_are_told_of_with_both_hashes(
    results: Results, caplog: pytest.LogCaptureFixture
):
    record = save(results)
    path = _file(results, "weights-5.npz")
    path.write_bytes(_file(results, "weights-2.npz").read_bytes())
    assert find_training(results, record.key) is None
    found, expected = (record.epochs[epoch - 1].weights_sha256[:12] for epoch in KEPT)
    assert f"{path} is damaged: its hash is {found}, expected {expected}" in caplog.text


def test_weights_that_were_never_kept_are_none(results: Results):
    assert read_weights(results, save(results), 3) is None


def test_every_readable_training_is_listed_and_can_be_removed(results: Results):
    first, second = save(results), save(results, make_finished(seed=2))
    (results.trainings / "0123456789abcdef").mkdir()
    assert {record.key for record in read_records(results)} == {first.key, second.key}
    assert set(list_keys(results)) == {first.key, second.key, "0123456789abcdef"}
    size = sum(path.stat().st_size for path in (results.trainings / first.key).iterdir())
    assert measure_training(results, first.key) == size
    remove_training(results, first.key)
    remove_training(results, "0123456789abcdef")
    assert list_keys(results) == [second.key]


def test_the_hash_of_weights_knows_values_shapes_types_and_order():
    one, two = np.zeros((2, 3), np.float32), np.ones(3, np.float32)
    others = [[two, one], [one.T, two], [one.astype(np.float64), two], [one + 1, two], [one]]
    hashes = {hash_weights(weights) for weights in ([one, two], *others)}
    assert len(hashes) == 6
    assert hash_weights([np.asfortranarray(one + 1)]) == hash_weights([one + 1])


def test_what_a_killed_run_was_just_writing_is_removed_with_the_next_save(results: Results):
    record = save(results)
    leftover = results.trainings / record.key / ".record.json.0123456789abcdef.part"
    leftover.write_text("half")
    save(results, record)
    assert not leftover.exists()


def test_only_folders_of_its_own_are_trainings(results: Results, tmp_path: Path):
    record = save(results)
    (results.trainings / "a-file").touch()
    (results.trainings / "a-link").symlink_to(tmp_path, target_is_directory=True)
    assert list_keys(results) == [record.key]
    assert list_keys(Results(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"format": 2}', "'record'"),
        (b'{"format": 2, "record": {"key": 3}}', "key: Input should be a valid string"),
        (b'{"format": 2, "record": 3}', "Input should be an object"),
        (b"[]", "'list' object has no attribute 'get'"),
    ],
)
def test_what_is_wrong_with_a_record_is_told_with_its_place(results: Results, content: bytes, reason: str):
    record = save(results)
    path = _file(results, "record.json")
    path.write_bytes(content)
    with pytest.raises(DamagedTraining) as told:
        verify_training(results, record.key)
    assert str(told.value) == f"{path} is damaged: {reason}"


def test_a_record_whose_parts_contradict_each_other_says_how(results: Results):
    record = save(results)
    path = _file(results, "record.json")
    envelope = json.loads(path.read_text())
    envelope["record"]["kept_weights"] = [6]
    path.write_text(json.dumps(envelope))
    with pytest.raises(DamagedTraining) as told:
        verify_training(results, record.key)
    assert str(told.value) == (
        f"{path} is damaged: it has 5 epochs, its segments have 5, and weights are kept of epochs 6"
    )


def test_weights_that_are_no_archive_are_damaged(results: Results):
    record = save(results)
    path = _file(results, "weights-5.npz")
    path.write_bytes(b"no archive")
    with pytest.raises(DamagedTraining) as told:
        verify_training(results, record.key)
    assert str(told.value) == f"{path} is damaged: File is not a zip file"


def test_a_training_that_was_never_finished_says_so(results: Results):
    with pytest.raises(DamagedTraining) as told:
        verify_training(results, "0123456789abcdef")
    path = results.trainings / "0123456789abcdef"
    assert str(told.value) == f"{path} has no record: it was never finished"
