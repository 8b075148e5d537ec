"""The benchmark of the simulator, at toy size: it measures real sweeps and simulates the same."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scaling import Measured, predict

pytestmark = pytest.mark.slow

LINE = re.compile(
    r"^(?P<what>.+?) +(?P<lanes>\d+) lanes, +(?P<trainings>\d+) trainings: "
    r"measured +(?P<measured>[\d.]+) s .*"
    r"simulated +(?P<simulated>[\d.]+) s ",
    re.MULTILINE,
)


def test_real_and_waiting_trainings_are_measured_and_simulated():
    # As a program: it starts a Prefect server, which would serve the tests that come after it, too.
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_HOME"}
    sizes = ["--rounds", "1", "--idle", "4", "--repeats", "1", "--images", "200"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scaling", *sizes, "--lanes", "2", "--waits", "0.05"],
        cwd=Path(__file__).parent.parent, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [match.groupdict() for match in LINE.finditer(done.stdout)]
    assert [(line["what"], line["lanes"], line["trainings"]) for line in lines] == [
        ("smoke, trained", "1", "7"),
        ("smoke, trained", "2", "7"),
        ("wait 0.05 s", "2", "60"),
    ]
    assert all(float(lines[-1][name]) >= 60 * 0.05 / 2 for name in ("measured", "simulated"))
    assert "a training that waits for nothing, in processor milliseconds" in done.stdout


def test_the_machine_s_cores_bound_what_is_predicted():
    base = Measured(10, wall=1.0, flow=0.1, server=0.2, lanes=0.1, cores=2.0)
    assert base.work == pytest.approx(0.04)
    assert predict([0.0] * 100, 50, base, cores=2.0) == pytest.approx(100 * 0.04 / 2)
    assert predict([0.0] * 100, 50, base, cores=1.0) == pytest.approx(100 * 0.04)
    assert predict([1.0] * 100, 2, base, cores=2.0) == pytest.approx(50, rel=0.05)
    assert predict([1.0] * 100, 50, base, cores=2.0, working=100.0) == pytest.approx(104 / 2)
