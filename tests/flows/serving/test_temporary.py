"""The temporary server: started by a process that imports none of it, and not where another one is named."""

from pathlib import Path

import pytest

from tests.night_server import run_program

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


@pytest.mark.slow
def test_before_the_first_training_a_flow_imports_no_server_and_nothing_that_draws_or_trains(tmp_path: Path):
    done = run_program(IMPORTED, tmp_path)
    assert done.stdout == "0\n[]\n", done.stderr


def test_where_the_profile_names_a_server_none_is_started(tmp_path: Path):
    (tmp_path / "profiles.toml").write_text(PROFILE)
    done = run_program(NAMED, tmp_path)
    assert done.stdout == "None []\n", done.stderr
