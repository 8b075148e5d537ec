"""What storage promises, on a disk and on an object store alike."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import locks, results as place
from storage.locks import run_lock, waiting_lock, why_held
from storage.results import Results, find_paths, read_bytes, remove_path, replace_folder, write_atomically
from storage.run_starts import list_interrupted, list_starts, read_start, remove_start
from storage.tables import TABLES
from storage.tables.history import list_behind, month_of, update_history
from storage.tables.parts import MEND, list_published, list_rows, part_path, read_part
from storage.tables.published import is_published, list_runs, publish, read_rows, read_run
from storage.tables.row import Row
from storage.tables.rows_of_findings import SummaryRow
from storage.tables.rows_of_work import EpochRow, RunRow, TrialRow
from storage.trainings import (
    find_training,
    list_keys,
    measure_training,
    read_records,
    read_weights,
    remove_training,
    verify_training,
)
from storage.upkeep import Checked, Limits, check_results, check_runs, check_trainings, prune
from study.errors import InputError
from tests.rows import RUN_ID
from tests.small_run import make_tables
from tests.storage.test_run_starts import start
from tests.storage.test_trainings import KEPT, make_arrays, make_finished, save
from tests.waiting import wait_until

EARLIER = "20260210T020000Z-lab-0000aaaa"
LATER = "20260302T020000Z-lab-0000bbbb"
NOW = datetime(2026, 4, 1, tzinfo=UTC)


def everything(results: Results) -> dict[str, bytes]:
    """Every file of the results but locks, by place."""
    paths = [path for path in results.folder.rglob("*") if path.is_file()]
    placed = {path.relative_to(results.folder).as_posix(): path for path in paths}
    return {place: read_bytes(path) for place, path in placed.items() if not place.startswith("locks")}


def damaged(results: Results) -> list[str]:
    return [f"{each.kind} {each.name}: {reason}" for each in check_results(results) for reason in each.damage]


def test_bytes_are_written_read_found_and_removed(any_results: Results):
    folder = any_results.folder / "things"
    for name in ("a/x.txt", "b/x.txt", "b/y.bin"):
        write_atomically(folder / name, name.encode())
    write_atomically(folder / "a/x.txt", b"new")
    assert read_bytes(folder / "a/x.txt") == b"new"
    assert find_paths(folder, "*/x.txt") == [folder / "a/x.txt", folder / "b/x.txt"]
    assert find_paths(folder, "b*/y.*") == [folder / "b/y.bin"]
    remove_path(folder / "b")
    remove_path(folder / "b")
    assert find_paths(folder, "*/*") == [folder / "a/x.txt"]
    with pytest.raises(FileNotFoundError):
        read_bytes(folder / "b/x.txt")


def test_a_folder_replaces_another_whole(any_results: Results, tmp_path):
    for version in ("one", "two"):
        source = tmp_path / version
        (source / "variables").mkdir(parents=True)
        (source / "variables" / f"{version}.bin").write_text(version)
        (source / "saved.pb").write_text(version)
        target = any_results.folder / "new" / "model"
        assert replace_folder(target, source) == target
    names = [path.name for path in any_results.folder.rglob("*") if path.is_file()]
    assert sorted(names) == ["saved.pb", "two.bin"]


def test_a_run_is_published_and_read_back(any_results: Results):
    publish(any_results, make_tables(LATER))
    publish(any_results, make_tables(EARLIER))
    assert list_published(any_results) == [EARLIER, LATER]
    assert [run.run_id for run in list_runs(any_results)] == [EARLIER, LATER]
    assert read_run(any_results).run.run_id == LATER
    assert len(read_run(any_results, EARLIER).trials) == 20
    trials = read_rows(any_results, TrialRow, [EARLIER, "nobody", LATER])
    assert [trial.run_id for trial in trials] == [EARLIER] * 20 + [LATER] * 20
    assert len(find_paths(any_results.tables, f"*/run={EARLIER}/part-0.parquet")) == len(TABLES)
    assert damaged(any_results)[0].startswith("history 2026-02: ") and len(damaged(any_results)) == 2
    assert not is_published(any_results, "nobody")


def test_the_same_results_give_the_same_bytes(any_results: Results):
    publish(any_results, make_tables())
    update_history(any_results)
    before = everything(any_results)
    publish(any_results, make_tables())
    update_history(any_results, RUN_ID)
    assert everything(any_results) == before


@contextmanager
def interrupted(module: str, writes: int) -> Iterator[None]:
    """Stop what the body does, as Ctrl-C would, after so many files are written."""
    left = iter(range(writes))

    def write(path: Path, content: bytes) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return write_atomically(path, content)

    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(f"storage.tables.{module}.write_atomically", write)
        yield


def test_a_run_whose_publishing_was_interrupted_is_no_run(any_results: Results):
    publish(any_results, make_tables())
    with interrupted("published", 5):
        publish(any_results, make_tables())
    assert list_published(any_results) == []
    publish(any_results, make_tables())
    assert damaged(any_results) == [
        f"history 2026-03: {any_results.history}: does not say what `tables` does in 2026-03; "
        "`study compact` writes it again"
    ]


def test_verify_names_every_damage_and_what_to_redo(any_results: Results):
    for run_id in (EARLIER, LATER):
        publish(any_results, make_tables(run_id))
    update_history(any_results)
    assert damaged(any_results) == []
    trials, epochs = (part_path(any_results, table, EARLIER) for table in ("trials", "epochs"))
    content = bytearray(read_bytes(trials))
    content[100] ^= 1
    write_atomically(trials, bytes(content))
    remove_path(epochs)
    found = [reason for reason in damaged(any_results) if reason.startswith("run")]
    assert any(f"run {EARLIER}: {trials}: cannot be read as a Parquet file: " in reason for reason in found)
    assert any(f"run {EARLIER}: {epochs}: no such file; " in reason for reason in found)
    assert all(reason.endswith(MEND) for reason in found)
    assert not any(LATER in reason for reason in found)


def history_of(results: Results, kind: type[Row] = RunRow) -> list[Row]:
    path = results.history / kind.TABLE / "month=2026-03" / "part-0.parquet"
    return list(list_rows(kind, read_part(path, kind), path))


def ids_of(rows: list[Row]) -> set[str]:
    return {row.run_id for row in rows}


def test_the_history_says_what_the_tables_say(any_results: Results):
    for run_id in (EARLIER, RUN_ID, LATER):
        publish(any_results, make_tables(run_id))
    assert update_history(any_results) == ["2026-02", "2026-03"]
    assert update_history(any_results) == []
    for kind in TABLES.values():
        assert history_of(any_results, kind) == read_rows(any_results, kind, [RUN_ID, LATER])
    assert damaged(any_results) == []


def test_the_history_follows_runs_that_go(any_results: Results):
    for run_id in (EARLIER, RUN_ID, LATER):
        publish(any_results, make_tables(run_id))
    update_history(any_results)
    for run_id in (EARLIER, RUN_ID):
        remove_path(part_path(any_results, "runs", run_id))
    assert list_behind(any_results) == ["2026-02", "2026-03"]
    assert update_history(any_results) == ["2026-02", "2026-03"]
    months = {path.parent.name for path in find_paths(any_results.history, "*/month=*/part-0.parquet")}
    assert months == {"month=2026-03"}
    assert ids_of(history_of(any_results, TrialRow)) == {LATER}


def test_a_damaged_run_is_left_out_of_the_history_until_it_is_restored(any_results: Results, caplog):
    for run_id in (RUN_ID, LATER):
        publish(any_results, make_tables(run_id))
    path = part_path(any_results, "epochs", LATER)
    content = read_bytes(path)
    write_atomically(path, b"PAR1")
    assert update_history(any_results) == ["2026-03"]
    assert "the history omits this run" in caplog.text
    assert ids_of(history_of(any_results, TrialRow)) == {RUN_ID}
    write_atomically(path, content)
    assert update_history(any_results) == ["2026-03"]
    assert ids_of(history_of(any_results, TrialRow)) == {RUN_ID, LATER}


def test_damage_of_the_history_is_found(any_results: Results):
    publish(any_results, make_tables())
    update_history(any_results)
    month = any_results.history / "trials" / "month=2026-03" / "part-0.parquet"
    write_atomically(month, b"PAR1")
    (told,) = damaged(any_results)
    assert told.startswith(f"history 2026-03: {month}: cannot be read as a Parquet file: ")
    assert told.endswith("; `study compact` writes it again")
    assert update_history(any_results) == []
    assert update_history(any_results, thorough=True) == ["2026-03"]
    assert damaged(any_results) == []


def test_a_history_of_which_a_month_of_runs_is_damaged_or_all_is_removed_is_written_again(
    any_results: Results,
):
    publish(any_results, make_tables())
    update_history(any_results)
    write_atomically(any_results.history / "runs" / "month=2026-03" / "part-0.parquet", b"PAR1")
    assert update_history(any_results) == ["2026-03"]
    assert update_history(any_results) == []
    remove_path(any_results.history)
    assert update_history(any_results) == ["2026-03"]
    assert list(check_results(any_results)) == [Checked("run", RUN_ID), Checked("history", "2026-03")]


@pytest.mark.parametrize("writes", range(13))
@pytest.mark.parametrize("changed", [LATER, RUN_ID])
def test_an_interrupted_update_of_the_history_is_made_up_for(results: Results, writes: int, changed: str):
    publish(results, make_tables())
    update_history(results)
    publish(results, make_tables(changed))
    with interrupted("history", writes):
        update_history(results, changed)
    seen = ids_of(history_of(results))
    for kind in (TrialRow, EpochRow, SummaryRow):
        assert seen <= ids_of(history_of(results, kind))
    update_history(results)
    assert damaged(results) == []
    assert ids_of(history_of(results)) == {RUN_ID, changed}


def test_the_month_of_a_run_is_in_its_id():
    assert month_of("20261127T111213Z-lab-0a1b") == "2026-11"
    assert month_of("mine") == "unknown"


def test_a_training_is_kept_found_with_its_weights_and_removed(any_results: Results):
    record, other = save(any_results), save(any_results, make_finished(seed=2))
    folder = any_results.trainings / record.key
    names = {path.name: len(read_bytes(path)) for path in find_paths(folder, "*")}
    assert names.keys() == {"record.json", "weights-2.npz", "weights-5.npz", "optimizer-5.npz"}
    assert measure_training(any_results, record.key) == sum(names.values())
    assert find_training(any_results, record.key) == verify_training(any_results, record.key) == record
    for epoch in KEPT:
        found = read_weights(any_results, record, epoch)
        assert found is not None
        assert [each.tolist() for each in found] == [each.tolist() for each in make_arrays(epoch)]
    assert read_weights(any_results, record, 3) is None
    assert find_training(any_results, "0" * 16) is None
    assert {each.key for each in read_records(any_results)} == {record.key, other.key}
    remove_training(any_results, record.key)
    assert list_keys(any_results) == [other.key]


def test_a_damaged_training_counts_as_missing(any_results: Results, caplog):
    record = save(any_results)
    write_atomically(any_results.trainings / record.key / f"weights-{KEPT[1]}.npz", b"PK")
    assert find_training(any_results, record.key) is None
    assert "it counts as missing and is trained again" in caplog.text
    assert [each.name for each in check_trainings(any_results) if each.damage] == [record.key]


def test_a_start_is_written_down_and_forgotten(any_results: Results):
    begun = start(any_results, 1)
    assert read_start(any_results, begun.run_id) == begun
    assert list_starts(any_results) == list_interrupted(any_results) == [begun]
    write_atomically(any_results.report(begun.run_id), b"<html>")
    assert list_interrupted(any_results) == []
    remove_path(any_results.report(begun.run_id))
    remove_start(any_results, begun.run_id)
    assert list_starts(any_results) == []
    assert not any_results.run(begun.run_id).exists()


@contextmanager
def elsewhere(folder: Path, lock: AbstractContextManager[None]) -> Iterator[ExitStack]:
    """Hold a lock as another machine does: the kernel's locks lie in a folder of its own."""
    with ExitStack() as theirs:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, "local_folder", lambda _: folder / "another")
            theirs.enter_context(lock)
        yield theirs


def test_another_machine_s_lease_keeps_away_until_it_is_let_go_of(any_results: Results, tmp_path: Path):
    with elsewhere(tmp_path, run_lock(any_results, "run")):
        assert "which gave its last sign of life" in (why_held(any_results, "run") or "")
        with pytest.raises(InputError, match="being executed by process"), run_lock(any_results, "run"):
            pass
    with run_lock(any_results, "run"):
        pass


def test_a_lease_that_is_not_renewed_is_taken_over_by_one(
    any_results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(locks, "STALE_SECONDS", -1.0)
    monkeypatch.setattr(locks, "RENEWED_SECONDS", 0.1)

    def ours() -> AbstractContextManager[None]:
        return waiting_lock(any_results, "key", lambda: pytest.fail("it is stale"), lambda: False)

    with elsewhere(tmp_path, ours()) as theirs, ours():
        wait_until(lambda: "key: another machine works on it, too" in caplog.text)
        theirs.close()
        assert (any_results.locks / "key.owner").exists()


def test_old_runs_are_pruned_with_all_that_is_theirs(any_results: Results):
    for run_id in (EARLIER, RUN_ID, LATER):
        publish(any_results, make_tables(run_id))
        write_atomically(any_results.report(run_id), b"<html>")
    update_history(any_results)
    pruned = prune(any_results, Limits(before=NOW + timedelta(days=1), keep=1, trainings=False), NOW)
    assert pruned.failures == []
    assert list_published(any_results) == [LATER]
    assert not [place for place in everything(any_results) if EARLIER in place or RUN_ID in place]
    assert damaged(any_results) == []


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_part_of_a_published_run_is_noticed(results: Results, table: str):
    publish(results, make_tables())
    path = part_path(results, table, RUN_ID)
    path.unlink()
    found = list(check_runs(results))
    if table == "runs":
        assert found == []  # then it is no run
    else:
        assert found == [Checked("run", RUN_ID, (f"{path}: no such file; {MEND}",))]


def test_another_run_s_file_is_noticed(any_results: Results):
    for run_id in (RUN_ID, LATER):
        publish(any_results, make_tables(run_id))
    path = part_path(any_results, "trials", RUN_ID)
    write_atomically(path, read_bytes(part_path(any_results, "trials", LATER)))
    fault = f"{path}: has rows of run {LATER}; {MEND}"
    assert list(check_runs(any_results)) == [Checked("run", RUN_ID, (fault,)), Checked("run", LATER)]
