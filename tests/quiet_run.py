"""The run that nothing disturbed, once a session: a plugin of the modules that compare with it."""

import os
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from tests.chaos import Arena, published, trials_of


@pytest.fixture(scope="session")
def quiet_arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Where a run was that nothing disturbed; pytest's workers share it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return run_once(folder / "quiet")


def run_once(folder: Path) -> Arena:
    """Run the study on two lanes, unless another process has done so."""
    arena = Arena(folder)
    with FileLock(folder / "lock"):
        if not published(arena.results):
            assert arena.run_study("--lanes", 2) == 0, arena.said()
    return arena


@pytest.fixture(scope="session")
def quiet(quiet_arena: Arena) -> pd.DataFrame:
    """The trials of that run."""
    return trials_of(quiet_arena.results)
