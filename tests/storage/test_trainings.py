"""The cache of trainings: whole or not at all, checked against hashes, gone on with, listed and removed."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage import trainings
from storage.results import Results
from storage.trainings import (
    Arrays,
    DamagedTraining,
    find_training,
    hash_weights,
    list_keys,
    read_checkpoint,
    read_records,
    read_weights,
    remove_training,
    save_training,
    verify_training,
)
from study.errors import InputError
from study.records.record import TrainingRecord
from tests import simulated
from tests.rows import make_record, make_training

Change = Callable[[Path], bytes]
"""What a file holds instead."""

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
    training = make_training(seed, KEPT)
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


def _hash(epoch: int) -> str:
    return hash_weights(make_arrays(epoch))[:12]


def _file(results: Results, name: str) -> Path:
    path = results.trainings / make_finished().key / name
    assert path.is_file()
    return path


def test_more_than_ten_arrays_come_back_in_their_order(results: Results):
    weights = [np.array([number]) for number in range(12)]
    epoch = make_finished().epochs[0].model_copy(update={"weights_sha256": hash_weights(weights)})
    record = make_finished().model_copy(update={"epochs": (epoch,), "kept_weights": (1,)})
    save_training(results, record, {1: weights}, make_optimizer())
    found = read_weights(results, record, 1)
    assert found is not None
    assert [int(array[0]) for array in found] == list(range(12))


def test_a_training_that_was_never_finished_is_not_found_and_says_so_only_if_asked(
    results: Results, caplog: pytest.LogCaptureFixture
):
    key = make_finished().key
    for keys in ([], [key]):
        assert list_keys(results) == keys
        assert find_training(results, key) is None
        with pytest.raises(DamagedTraining) as told:
            verify_training(results, key)
        assert str(told.value) == f"{results.trainings / key} has no record: it was never finished"
        save(results)
        _file(results, "record.json").unlink()
    assert caplog.records == []


def test_a_training_can_be_gone_on_with_from_its_last_epoch(results: Results):
    record = save(results)
    checkpoint = read_checkpoint(results, record)
    assert checkpoint is not None
    assert checkpoint.record == record
    assert all(map(np.array_equal, checkpoint.weights, make_arrays(5)))
    assert all(map(np.array_equal, checkpoint.optimizer, make_optimizer()))


@pytest.mark.parametrize("name", ["optimizer-5.npz", "weights-5.npz"])
@pytest.mark.parametrize("content", [b"", None])
def test_a_damaged_last_state_is_told_of_and_cannot_be_gone_on_with(
    results: Results, caplog: pytest.LogCaptureFixture, name: str, content: bytes | None
):
    record = save(results)
    path = _file(results, name)
    path.unlink() if content is None else path.write_bytes(content)
    assert read_checkpoint(results, record) is None
    assert f"{name} is damaged: " in caplog.text
    assert "cannot continue this training; starting again" in caplog.text
    with pytest.raises(DamagedTraining, match=f"{name} is damaged: "):
        verify_training(results, record.key)
    if name.startswith("optimizer"):
        assert find_training(results, record.key) == record


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


def test_only_folders_of_its_own_are_trainings_and_a_readable_one_is_a_record(
    results: Results, tmp_path: Path
):
    record = save(results)
    (results.trainings / "0123456789abcdef").mkdir()
    (results.trainings / "a-file").touch()
    (results.trainings / "a-link").symlink_to(tmp_path, target_is_directory=True)
    assert set(list_keys(results)) == {record.key, "0123456789abcdef"}
    assert [each.key for each in read_records(results)] == [record.key]
    remove_training(results, "0123456789abcdef")
    assert list_keys(results) == [record.key]
    assert list_keys(Results(tmp_path / "nowhere")) == []


def _edited(change: Callable[[dict[str, Any]], object]) -> Change:
    """The record's file with one thing changed in it."""

    def edit(path: Path) -> bytes:
        envelope = json.loads(path.read_text())
        change(envelope)
        return json.dumps(envelope).encode()

    return edit


def _cut(size: int) -> Change:
    return lambda path: path.read_bytes()[:size]


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("record", lambda _: b"", "is damaged: Expecting value: line 1 column 1 (char 0)"),
        ("record", lambda _: b"[]", "is damaged: 'list' object has no attribute 'get'"),
        ("record", lambda _: b'{"format": 2}', "is damaged: 'record'"),
        ("record", lambda _: b"\xff\x00", "is damaged: 'utf-8' codec can't decode byte 0xff in position 0"),
        ("record", lambda _: b"[" * 100_000, "is damaged: maximum recursion depth exceeded"),
        ("record", lambda _: b'{"format": 2, "record": 3}', "is damaged: Input should be an object"),
        ("record", _edited(lambda file: file["record"].update(key=3)), "is damaged: key: Input should be a "),
        ("record", _cut(-10), "is damaged: Expecting "),
        ("record", _edited(lambda file: file.update(format=1)), "has format 1, expected 2"),
        ("record", _edited(lambda file: file.update(format=99)), "has format 99, expected 2"),
        ("record", _edited(lambda file: file["record"]["epochs"][4].update(test_accuracy=0.999)),
         "is damaged: its checksum does not fit"),
        ("record", _edited(lambda file: file["record"].update(kept_weights=[6])),
         "is damaged: it has 5 epochs, its segments have 5, and weights are kept of epochs 6"),
        ("weights-2", None, "is damaged: No such file or directory"),
        ("weights-5", None, "is damaged: No such file or directory"),
        ("weights-5", lambda _: b"no archive", "is damaged: File is not a zip file"),
        *(("weights-5", _cut(size), "is damaged: ") for size in (0, 1, 100, 300, -1)),
        ("weights-5", lambda path: path.with_name("weights-2.npz").read_bytes(),
         f"is damaged: its hash is {_hash(2)}, expected {_hash(5)}"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_damage_is_told_with_its_place_and_counts_as_missing_until_it_is_saved_again(
    results: Results, caplog: pytest.LogCaptureFixture, name: str, change: Change | None, fault: str
):
    record = save(results)
    path = _file(results, f"{name}.json" if name == "record" else f"{name}.npz")
    path.write_bytes(change(path)) if change else path.unlink()
    with pytest.raises(DamagedTraining) as told:
        verify_training(results, record.key)
    assert str(told.value).startswith(f"{path} {fault}")
    assert "\n" not in str(told.value)
    assert find_training(results, record.key) is None
    assert caplog.messages == [f"{told.value}; it counts as missing and is trained again"]
    if name != "record":
        with pytest.raises(InputError, match="run again, and it will be trained again"):
            read_weights(results, record, int(name[-1]))
    save(results)
    assert verify_training(results, record.key) == record


@pytest.mark.parametrize("name", ["record.json", "weights-2.npz"])
def test_one_that_may_not_be_read_is_neither_damaged_nor_trained_again(
    name: str, results: Results, monkeypatch: pytest.MonkeyPatch
):
    record = save(results)
    path, read = _file(results, name), trainings.read_bytes

    def read_all_but_one(asked: Path) -> bytes:
        if asked == path:
            raise PermissionError(13, "Permission denied", str(path))
        return read(asked)

    monkeypatch.setattr(trainings, "read_bytes", read_all_but_one)
    with pytest.raises(InputError, match=f"^{path}: Permission denied; let its owner make it readable"):
        find_training(results, record.key)
    with pytest.raises(DamagedTraining, match=f"^{path}: Permission denied"):
        verify_training(results, record.key)


def test_a_record_under_the_key_of_another_is_damage(results: Results):
    record = save(results)
    folder = results.trainings / "0123456789abcdef"
    _file(results, "record.json").parent.rename(folder)
    with pytest.raises(DamagedTraining) as told:
        verify_training(results, folder.name)
    assert str(told.value) == f"{folder / 'record.json'} holds training {record.key}"
