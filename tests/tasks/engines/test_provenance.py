"""Provenance: the commit of the code, its lock file and the name of the processor."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tasks.engines.provenance import _CODE, COMMIT, LOCK_NAME, Commit, hash_lock, processor_name, read_commit


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


def test_uncommitted_changes_have_a_hash_of_what_they_are(tmp_path: Path):
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    def now() -> Commit:
        read_commit.cache_clear()
        return read_commit(tmp_path)

    git("init")
    (tmp_path / "code.py").write_text("one = 1\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git("add", ".")
    git("commit", "-m", "begin")
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
