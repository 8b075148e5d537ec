"""Provenance: the commit of the code, its lock file and the name of the processor."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tasks.engines.provenance import (
    _CODE,
    COMMIT,
    LOCK_NAME,
    Commit,
    hash_code,
    hash_lock,
    processor_name,
    read_commit,
    read_commit_again,
)


def test_the_commit_is_that_of_the_checkout():
    head = subprocess.run(
        ["git", "-C", str(_CODE), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert read_commit().name == head


def test_outside_a_checkout_the_commit_is_that_of_the_image_and_nobody_knows_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(COMMIT, "5e1f")
    assert read_commit(tmp_path) == Commit("5e1f", None)
    monkeypatch.delenv(COMMIT)
    read_commit.cache_clear()
    assert read_commit(tmp_path) == Commit(None, None)


def test_the_processor_has_a_name():
    assert processor_name()


def test_the_lock_is_that_of_the_checkout_another_has_another_hash_and_none_has_none(
    tmp_path: Path,
):
    assert hash_lock() == hashlib.sha256((_CODE / LOCK_NAME).read_bytes()).hexdigest()
    assert hash_lock(tmp_path) is None
    (tmp_path / LOCK_NAME).write_text("numpy==1\n")
    assert hash_lock(tmp_path) == hashlib.sha256(b"numpy==1\n").hexdigest()


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clean checkout with one file of code."""
    git(tmp_path, "init")
    (tmp_path / "code.py").write_text("one = 1\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "begin")
    return tmp_path


def test_a_checkout_that_belongs_to_another_user_has_a_commit(checkout: Path):
    if os.getuid() != 0:
        pytest.skip("only root gives files to others")
    before = read_commit(checkout)
    read_commit.cache_clear()
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345)
    refused = subprocess.run(["git", "-C", str(checkout), "status"], capture_output=True, text=True)
    assert "dubious ownership" in refused.stderr
    assert before.name
    assert read_commit(checkout) == before


def test_without_git_a_line_says_that_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.delenv(COMMIT, raising=False)
    monkeypatch.setenv("PATH", "")
    assert read_commit_again(tmp_path) == Commit(None, None)
    assert caplog.messages == [f"the tables name no commit: {tmp_path} cannot be asked: git is not installed"]


def test_code_that_was_edited_or_checked_out_while_a_run_trained_is_not_published_as_clean(checkout: Path):
    began = read_commit(checkout)
    assert read_commit_again(checkout) == began
    (checkout / "code.py").write_text("two = 2\n")
    edited = read_commit_again(checkout)
    assert (edited.name, edited.dirty) == (began.name, True)
    assert edited.diff_sha256
    git(checkout, "commit", "--all", "-m", "another commit")
    assert read_commit_again(checkout) == Commit(began.name, True)


def test_code_has_a_hash_of_its_contents_as_first_read(tmp_path: Path):
    for folder in ("one", "two"):
        (tmp_path / folder / "tasks").mkdir(parents=True)
        (tmp_path / folder / "tasks" / "a.py").write_text("1")
    assert hash_code(tmp_path / "one") == hash_code(tmp_path / "two")
    (tmp_path / "two" / "tasks" / "a.py").write_text("2")
    assert hash_code(tmp_path / "one") == hash_code(tmp_path / "two")
    hash_code.cache_clear()
    assert hash_code(tmp_path / "one") != hash_code(tmp_path / "two")


def test_uncommitted_changes_have_a_hash_of_what_they_are(checkout: Path):
    tmp_path = checkout

    def now() -> Commit:
        read_commit.cache_clear()
        return read_commit(tmp_path)

    clean = now()
    assert (clean.dirty, clean.diff_sha256) == (False, None)
    hashes = []
    changes = [("code.py", "two = 2\n"), ("new.py", "a"), ("new.py", "b"), ("code.py", "one = 1\n")]
    for name, content in changes:
        (tmp_path / name).write_text(content)
        assert now().dirty
        hashes.append(now().diff_sha256)
    assert len(set(hashes)) == 4
    before = now()
    (tmp_path / "ignored").write_text("of no account")
    assert now() == before
    (tmp_path / "new.py").unlink()
    assert now() == clean
    read_commit.cache_clear()
