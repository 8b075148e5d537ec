"""Provenance: the commit of the code and the name of the processor."""

import subprocess

from tasks.provenance import _CODE, processor_name, read_commit


def test_the_commit_is_that_of_the_checkout():
    head = subprocess.run(
        ["git", "-C", str(_CODE), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert read_commit().name == head


def test_the_processor_has_a_name():
    assert processor_name()
