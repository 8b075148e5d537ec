"""What goes from a results folder and what never does, whole or not at all, whoever reads, runs or kills."""

import os
import re
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from storage.locks import run_lock, waiting_lock, why_held
from storage.results import Results, remove_path
from storage.run_starts import list_interrupted
from storage.tables import TABLES
from storage.tables.published import list_runs, read_run
from storage.trainings import list_keys, verify_training
from storage.upkeep import Limits, Pruned, prune
from tests.aged_runs import NOW, begin_run, end_run, keep_training, read_everything

MONTH = Limits(before=NOW - timedelta(days=30))
ALL = Limits(before=NOW)


def ids(results: Results) -> list[str]:
    return [run.run_id for run in list_runs(results)]


def gone(pruned: Pruned, kind: str) -> list[str]:
    return sorted(item.name for item, _ in pruned.gone if item.kind == kind)


def stayed(pruned: Pruned, name: str) -> str:
    (reason,) = [reason for item, reason in pruned.stayed if item.name == name]
    return reason


def traces(results: Results, run_id: str) -> list[Path]:
    """Every file and folder that bears a run's id."""
    return [path for path in results.folder.rglob("*") if run_id in path.name]


def test_a_run_older_than_the_limit_goes_with_all_that_is_its_own(results: Results):
    old, young = end_run(results, 31), end_run(results, 29)
    (results.tables / "of-a-later-version" / f"run={old}").mkdir(parents=True)
    pruned = prune(results, MONTH, NOW)
    assert gone(pruned, "run") == [old]
    assert traces(results, old) == []
    assert ids(results) == [young]
    read_run(results, young)
    assert stayed(pruned, young) == "the newest complete of its study"
    assert sum(size for _, size in pruned.gone) > 2000
    assert all(path.name.startswith("history.") for path in results.locks.iterdir())


EARLY, FAILED = {"status": "stopped early"}, {"status": "completed with failures"}


@pytest.mark.parametrize(
    ("limits", "runs", "going"),
    [
        (Limits(keep=3), [(5, {}), (4, {}), (3, {}), (2, {}), (50, {"study": "smoke"})], {0}),
        (Limits(MONTH.before, keep=3), [(50, {}), (40, {}), (35, {}), (3, {}), (2, {})], {0, 1}),
        (Limits(MONTH.before, keep=1), [(50, {}), (40, {}), (35, {}), (3, {}), (2, {})], {0, 1, 2}),
        (Limits(NOW, keep=1), [(50, {"exercises": "1,2,3"}), (1, {"exercises": "2"})], set()),
        (ALL, [(60, EARLY), (50, {}), (1, EARLY)], {0, 2}),
        (ALL, [(60, {}), (50, {}), (40, FAILED), (1, FAILED)], {0, 2}),
    ],
    ids=["by number", "by both limits", "by age", "of other exercises", "stopped early", "with failures"],
)
def test_runs_go_that_no_limit_keeps_but_the_newest_of_each_study_and_choice_of_exercises(
    results: Results, limits: Limits, runs: list[tuple[int, dict[str, str]]], going: set[int]
):
    names = [end_run(results, days, **{"study": "lab", **row}) for days, row in runs]
    pruned = prune(results, limits, NOW)
    assert gone(pruned, "run") == sorted(names[number] for number in going)
    assert set(ids(results)) == {name for number, name in enumerate(names) if number not in going}


def test_a_run_that_is_kept_by_number_says_so(results: Results):
    older, _ = end_run(results, 2), end_run(results, 1)
    assert stayed(prune(results, Limits(keep=3), NOW), older) == "among the newest 3"


@pytest.mark.parametrize("trainings", [True, False])
@pytest.mark.parametrize("limits", [Limits(NOW), Limits(keep=1), Limits(NOW, 1)])
def test_the_newest_complete_run_and_what_it_reads_are_never_touched(
    results: Results, limits: Limits, trainings: bool
):
    key = keep_training(results, 1, days=400)
    newest = end_run(results, 300, keys=[key])
    for days in (310, 320):
        end_run(results, days, keys=[keep_training(results, days, days)])
    before = {name: content for name, content in read_everything(results.folder).items() if newest in name}
    before |= read_everything(results.trainings / key)
    prune(results, Limits(limits.before, limits.keep, trainings), NOW)
    after = {name: content for name, content in read_everything(results.folder).items() if newest in name}
    assert before == after | read_everything(results.trainings / key)
    assert before
    verify_training(results, key)
    assert len(list_keys(results)) == (1 if trainings else 3)


def test_trainings_that_no_kept_run_reads_go_when_they_are_old(results: Results):
    read, old, young = (keep_training(results, seed, days) for seed, days in ((1, 90), (2, 40), (3, 20)))
    end_run(results, 1, keys=[read])
    pruned = prune(results, MONTH, NOW)
    assert gone(pruned, "training") == [old]
    assert set(list_keys(results)) == {read, young}
    assert stayed(pruned, read) == "read or trained by a kept run"
    assert stayed(pruned, young) == "not old enough"


def test_what_an_interrupted_run_has_trained_waits_for_it(results: Results):
    end_run(results, 1)
    run_id = begin_run(results, 20)
    key = keep_training(results, 1, days=40, run_id=run_id)
    assert stayed(prune(results, MONTH, NOW), key) == "read or trained by a kept run"


def test_no_training_goes_while_a_run_is_being_executed(results: Results):
    end_run(results, 1)
    key, run_id = keep_training(results, 1, days=40), begin_run(results, 0)
    with run_lock(results, run_id):
        pruned = prune(results, MONTH, NOW)
    assert list_keys(results) == [key]
    assert stayed(pruned, key) == f"run {run_id} is being executed and may read any"
    assert stayed(pruned, run_id) == "being executed by another process"


def test_a_training_that_is_held_stays(results: Results):
    key = keep_training(results, 1, days=40)
    with waiting_lock(results, key, lambda: None, lambda: False):
        assert stayed(prune(results, MONTH, NOW), key) == "being trained"
    assert gone(prune(results, MONTH, NOW), "training") == [key]


def test_no_training_goes_if_it_cannot_be_told_what_a_kept_run_reads(results: Results):
    key, run_id = keep_training(results, 1, days=40), end_run(results, 1)
    part = results.tables / "trials" / f"run={run_id}" / "part-0.parquet"
    part.write_bytes(b"damaged")
    for reason in ("cannot be read as a Parquet file", "no such file; restore the file"):
        pruned = prune(results, MONTH, NOW)
        assert list_keys(results) == [key]
        assert stayed(pruned, key).startswith(f"a kept run may read it: {part}: {reason}")
        part.unlink(missing_ok=True)


def test_a_damaged_row_keeps_its_run_and_hinders_no_other(results: Results, caplog: pytest.LogCaptureFixture):
    old, damaged, _ = end_run(results, 50), end_run(results, 40), end_run(results, 1)
    (results.tables / "runs" / f"run={damaged}" / "part-0.parquet").write_bytes(b"damaged")
    pruned = prune(results, MONTH, NOW)
    assert gone(pruned, "run") == [old]
    assert stayed(pruned, damaged) == "a row in `runs` is damaged"
    assert f"run={damaged}" in caplog.text


def test_a_damaged_training_goes_by_the_age_of_its_files(results: Results):
    old, young, read = (keep_training(results, seed) for seed in (1, 2, 3))
    for key in (old, young, read):
        (results.trainings / key / "record.json").write_text("{")
    for key in (old, read):
        for path in (results.trainings / key).iterdir():
            os.utime(path, (NOW.timestamp() - 40 * 86_400,) * 2)
    end_run(results, 1, keys=[read])
    pruned = prune(results, MONTH, NOW)
    assert gone(pruned, "training") == [old]
    assert stayed(pruned, young) == "not old enough"
    assert stayed(pruned, read) == "read or trained by a kept run"
    assert set(list_keys(results)) == {young, read}


def test_interrupted_runs_go_by_their_age_only(results: Results):
    old, young = begin_run(results, 40), begin_run(results, 20)
    assert stayed(prune(results, Limits(keep=1), NOW), old) == "only --older-than removes any"
    pruned = prune(results, MONTH, NOW)
    assert gone(pruned, "interrupted run") == [old]
    assert [each.run_id for each in list_interrupted(results)] == [young]
    assert traces(results, old) == []


def test_a_run_that_is_executed_stays_however_old(results: Results):
    old, published, _ = begin_run(results, 40), end_run(results, 41), end_run(results, 1)
    with run_lock(results, old), run_lock(results, published):
        pruned = prune(results, MONTH, NOW)
        assert stayed(pruned, old) == stayed(pruned, published) == "being executed by another process"
        assert traces(results, old)
    assert read_run(results, published)


def test_temporary_files_and_folders_that_were_left_half_copied_go_when_they_are_old(results: Results):
    run_id = end_run(results, 1)
    part, fresh = (results.run(run_id) / f".report.html.{digit * 16}.part" for digit in "ab")
    folder = results.model(run_id) / f".Fashion_MNIST_model.{'a' * 16}.part"
    (folder / "1").mkdir(parents=True)
    for path in (part, fresh, folder / "1" / "saved_model.pb"):
        path.touch()
    for path in (part, folder):
        os.utime(path, (NOW.timestamp() - 90_000,) * 2)
    pruned = prune(results, MONTH, NOW)
    old = sorted(str(path.relative_to(results.folder)) for path in (part, folder))
    assert gone(pruned, "temporary file") == old
    assert not part.exists() and not folder.exists()
    assert fresh.exists()


def test_unfinished_trainings_go_when_nobody_has_trained_them_for_a_week(results: Results):
    old, young, held = (keep_training(results.unfinished, seed) for seed in (1, 2, 3))
    for key in (old, held):
        for path in (results.unfinished.trainings / key).iterdir():
            os.utime(path, (NOW.timestamp() - 8 * 86_400,) * 2)
    with waiting_lock(results, held, lambda: None, lambda: False):
        pruned = prune(results, Limits(keep=1), NOW)
    assert gone(pruned, "unfinished training") == [old]
    assert stayed(pruned, young) == "not old enough"
    assert stayed(pruned, held) == "being trained"
    assert set(list_keys(results.unfinished)) == {young, held}


def test_a_dry_run_says_the_same_and_changes_no_byte(results: Results):
    end_run(results, 1)
    for days in (40, 50):
        end_run(results, days, keys=[keep_training(results, days, days)])
    begin_run(results, 60)
    before = read_everything(results.folder)
    foreseen = prune(results, MONTH, NOW, dry_run=True)
    assert read_everything(results.folder) == before
    pruned = prune(results, MONTH, NOW)
    assert [item for item, _ in foreseen.gone] == [item for item, _ in pruned.gone]
    assert len(pruned.gone) == 5


def test_no_name_in_the_folder_leads_out_of_it(results: Results):
    end_run(results, 1)
    outside = results.folder.parent / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    for table in ("trials", "runs"):
        for name in ("run=..", "run=.", "run=", "run=...", "run=../../outside"):
            (results.tables / table / name).mkdir(parents=True, exist_ok=True)
    (results.runs / "20200102T030405Z-lab-1a2b").symlink_to(outside)
    (results.runs / "notes of mine").mkdir()
    pruned = prune(results, ALL, NOW)
    assert (outside / "mine").read_text() == "mine"
    assert (results.runs / "notes of mine").exists()
    assert [failure.partition(":")[0] for failure in pruned.failures] == ["20200102T030405Z-lab-1a2b"]
    assert len(ids(results)) == 1


def test_what_cannot_be_removed_is_told_and_the_rest_goes(results: Results):
    stuck, other, _ = end_run(results, 50), end_run(results, 40), end_run(results, 1)
    shutil.rmtree(results.run(stuck))
    results.run(stuck).symlink_to(results.folder)
    pruned = prune(results, MONTH, NOW)
    assert gone(pruned, "run") == [other]
    assert re.match(f"{stuck}: .*symbolic link", pruned.failures[0])


@pytest.mark.parametrize("steps", [0, 1, 2, 3, len(TABLES) + 1])
def test_what_is_left_when_it_is_interrupted_is_whole_runs_and_the_next_time_the_rest_goes(
    results: Results, steps: int
):
    old, newest = end_run(results, 50), end_run(results, 1)
    left = iter(range(steps))

    def remove(path: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        remove_path(path)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("storage.upkeep.remove_path", remove)
        prune(results, Limits(keep=1), NOW)
    for run_id in ids(results):
        read_run(results, run_id)
        assert results.report(run_id).exists()
    assert list_interrupted(results) == []
    prune(results, Limits(keep=1), NOW)
    assert traces(results, old) == []
    assert ids(results) == [newest]


@pytest.mark.slow
def test_runs_published_meanwhile_are_not_touched(results: Results):
    for number in range(60):
        end_run(results, 100 - number, number=number)
    published: list[str] = []
    is_over = threading.Event()

    def publish_on() -> None:
        while not is_over.is_set():
            published.append(end_run(results, 0, number=1000 + len(published)))

    writer = threading.Thread(target=publish_on)
    writer.start()
    try:
        pruned = prune(results, Limits(NOW - timedelta(days=1), keep=1), NOW)
    finally:
        is_over.set()
        writer.join()
    assert len(published) > 1
    assert pruned.failures == []
    assert set(published) <= set(ids(results))
    for run_id in published:
        read_run(results, run_id)
        assert why_held(results, run_id) is None


def test_what_ended_just_at_the_limit_stays(results: Results):
    at, _ = end_run(results, 31), end_run(results, 1)
    ended = list_runs(results)[0].finished_at
    assert stayed(prune(results, Limits(before=ended), NOW), at) == "not old enough"
    assert gone(prune(results, Limits(before=ended + timedelta(microseconds=1)), NOW), "run") == [at]


def test_remains_of_a_run_that_may_just_be_starting_stay(results: Results):
    for hours, number in ((2, 1), (0.5, 2)):
        begun = NOW - timedelta(hours=hours)
        (results.runs / f"{begun:%Y%m%dT%H%M%SZ}-lab-{number:08x}").mkdir(parents=True)
    pruned = prune(results, MONTH, NOW)
    (remains,) = gone(pruned, "remains")
    assert remains.endswith("-lab-00000001")
