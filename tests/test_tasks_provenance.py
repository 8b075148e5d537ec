"""Provenance: the commit of the code, its lock file and the name of the processor."""

import hashlib
import subprocess
from pathlib import Path

from tasks.provenance import _CODE, LOCK_NAME, hash_lock, processor_name, read_commit


def test_the_commit_is_that_of_the_checkout():
    head = subprocess.run(
        ["git", "-C", str(_CODE), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert read_commit().name == head


def test_the_processor_has_a_name():
    assert processor_name()


def test_the_lock_is_that_of_the_checkout_and_another_has_another_hash(tmp_path: Path):
    assert hash_lock() == hashlib.sha256((_CODE / LOCK_NAME).read_bytes()).hexdigest()
    (tmp_path / LOCK_NAME).write_text("numpy==1\n")
    assert hash_lock(tmp_path) == hashlib.sha256(b"numpy==1\n").hexdigest()


def test_where_there_is_no_lock_there_is_no_hash(tmp_path: Path):
    assert hash_lock(tmp_path) is None
