"""Bounded memory: what asks for too much gets an error, and afterwards the bound is gone."""

import resource

import pytest

from tasks.bounded_memory import STATM, bounded_memory

pytestmark = pytest.mark.skipif(
    not STATM.exists(), reason="only Linux tells and bounds the size of a process"
)


def test_what_asks_for_more_than_allowed_gets_an_error():
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(MemoryError), bounded_memory(2**28):
        bytearray(2**30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_what_is_allowed_can_be_had():
    with bounded_memory(2**30):
        assert len(bytearray(2**28)) == 2**28
