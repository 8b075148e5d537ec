"""The temporary server: started by a process that imports none of it, and not where another one is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.night_server import clean_environment
from tests.served import PROJECT
from tests.waiting import WAIT_SECONDS

IMPORTED = """
import sys
from flows.serving.temporary import temporary_server
with temporary_server():
    import flows.run_study
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    print(client.count_flow_runs())
heavy = ("prefect.server", "matplotlib", "scipy.stats", "tensorflow", "keras")
print(sorted(name for name in sys.modules if name in heavy))
"""
NAMED = """
import os, psutil
from flows.serving.temporary import temporary_server
with temporary_server():
    import prefect
print(os.environ.get("PREFECT_API_URL"), psutil.Process().children())
"""
PROFILE = """
active = "ours"
[profiles.ours]
PREFECT_API_URL = "http://127.0.0.1:9/api"
"""


def run(program: str, home: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_SECONDS,
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_before_the_first_training_a_flow_imports_no_server_and_nothing_that_draws_or_trains(tmp_path: Path):
    assert run(IMPORTED, tmp_path) == ["0", "[]"]


def test_where_the_profile_names_a_server_none_is_started(tmp_path: Path):
    (tmp_path / "profiles.toml").write_text(PROFILE)
    assert run(NAMED, tmp_path) == ["None []"]
