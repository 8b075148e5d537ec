"""Inside a lane's process, without one: what it refuses."""

import pytest

from study.errors import LanesLost
from tasks.engines import hash_code
from tasks.lanes.process import call


def test_a_process_that_has_started_from_other_code_than_the_run_trains_nothing():
    done: list[int] = []
    call(hash_code(), "work", done.append, 1)
    with pytest.raises(LanesLost, match=r"^the code has changed since this run began.*put the code back"):
        call("hash of the code that the run began with", "work", done.append, 2)
    assert done == [1]
