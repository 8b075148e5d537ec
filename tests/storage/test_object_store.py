"""An object store: what is there, who is first, and what happens while it is away."""

import errno
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from storage import object_store
from storage.locks import why_held
from storage.object_store import get_all, put_new
from storage.results import (
    Results,
    explain_unwritable,
    is_local,
    open_results,
    read_address,
    read_bytes,
    results_at,
    write_atomically,
)
from storage.run_starts import has_ended
from storage.tables.parts import part_path, read_part
from storage.tables.published import read_run
from storage.tables.rows_of_work import TrialRow
from storage.trainings import find_training
from storage.upkeep import check_runs
from study.errors import InputError, ResultsUnwritable, StoreUnreachable
from tests.object_stores import BUCKET, credentials, new_address, serving


def test_of_several_who_make_an_object_one_succeeds(s3_results: Results):
    path = s3_results.folder / "mine"

    def has_made(name: int) -> bool:
        with suppress(FileExistsError):
            put_new(path, str(name).encode())
            return True
        return False

    with ThreadPoolExecutor(8) as threads:
        won = [name for name, made in enumerate(threads.map(has_made, range(8))) if made]
    assert [read_bytes(path).decode()] == [str(each) for each in won]


def test_of_many_objects_those_that_are_there_are_read_at_once(s3_results: Results):
    paths = [s3_results.folder / f"{number}" for number in range(5)]
    for path in paths[:3]:
        write_atomically(path, path.name.encode())
    assert get_all(paths) == {path: path.name.encode() for path in paths[:3]}
    assert get_all(paths[3:4]) == {}
    assert get_all(paths[:1]) == {paths[0]: b"0"}
    assert get_all([]) == {}


def test_a_store_that_is_away_for_a_while_is_asked_again(s3_results: Results, monkeypatch, caplog):
    path, answers = s3_results.folder / "x", iter([ConnectionError("reset"), TimeoutError("late")])
    write = type(path).write_bytes

    def flaky(self, content):
        for error in answers:
            raise error
        return write(self, content)

    monkeypatch.setattr(type(path), "write_bytes", flaky)
    write_atomically(path, b"at last")
    assert read_bytes(path) == b"at last"
    assert f"{path}: reset; trying again" in caplog.text
    assert f"{path}: late; trying again" in caplog.text


@pytest.mark.parametrize(
    "refusal",
    [
        PermissionError("The provided token has expired."),
        OSError(errno.EINVAL, "Bad Request"),
        RuntimeError("Token has expired and refresh failed"),
        RuntimeError("UnauthorizedSSOTokenError: the SSO session has expired or is otherwise invalid"),
        RuntimeError("('invalid_grant: Token has been expired or revoked.',)"),
        RuntimeError("Unable to locate credentials"),
    ],
)
def test_an_expired_token_is_told_once_at_once(caplog: pytest.LogCaptureFixture, refusal: Exception):
    asked = []

    def refuse() -> None:
        asked.append(1)
        raise refusal

    with pytest.raises(StoreUnreachable, match=r"refused \(.*\): renew the key or token if it has"):
        object_store.ask(Path("bucket"), refuse)
    assert (len(asked), caplog.text) == (1, "")


@pytest.mark.slow
def test_a_store_that_stays_away_ends_a_run_with_a_line(monkeypatch, caplog):
    monkeypatch.setattr(object_store, "PATIENCE_SECONDS", 0.5)
    caplog.set_level(logging.CRITICAL)
    with serving() as server:
        for name, value in credentials(server.port).items():
            monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()  # it knows the other server
        results = open_results(new_address())
        os.kill(server.pid, signal.SIGKILL)
        told = pytest.raises(ResultsUnwritable, match=r"cannot be written: .*`study resume`")
        with told, explain_unwritable(results.folder):
            write_atomically(results.folder / "x", b"")
        for ask in (
            lambda: find_training(results, "0" * 16),
            lambda: read_run(results),
            lambda: read_part(part_path(results, "trials", "mine"), TrialRow),
            lambda: list(check_runs(results)),
            lambda: has_ended(results, "mine"),
        ):
            with pytest.raises(StoreUnreachable):
                ask()
        with pytest.raises(ResultsUnwritable, match=r"locks: cannot be written: .*`study resume`") as held:
            why_held(results, "mine")
        assert isinstance(held.value.__cause__, StoreUnreachable)
    S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"s3://{BUCKET}-that-is-not-there/x", "The specified bucket does not exist; give one that you may"),
        ("s4://bucket/x", "s4"),
        ("s3://", "names no bucket or host; give a folder, or an address that fsspec knows, such as s3://"),
        ("adl://bucket/x", "install"),
    ],
)
def test_a_wrong_address_is_refused_at_once(s3: None, address: str, reason: str):
    with pytest.raises(InputError, match=f"results folder {address}: .*{reason}"):
        results_at(address)


def test_an_address_of_this_disk_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert results_at(f"file://{tmp_path}/results").folder == tmp_path.resolve() / "results"
    assert read_address("~/results") == tmp_path / "results"
    assert is_local(read_address("C:/results"))
