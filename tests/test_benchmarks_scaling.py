"""The benchmark of the simulator, at toy size: it measures real sweeps and simulates the same."""

import pytest

from benchmarks.scaling import Measured, main, predict


def test_real_and_waiting_trainings_are_measured_and_simulated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "CRITICAL")
    sizes = ["--rounds", "1", "--idle", "4", "--repeats", "1", "--images", "200"]
    lines = main([*sizes, "--lanes", "2", "--waits", "0.05"])
    assert [(line.what, line.lanes) for line in lines] == [
        ("smoke, trained", 1),
        ("smoke, trained", 2),
        ("wait 0.05 s", 2),
    ]
    assert [line.trainings for line in lines] == [7, 7, 60]
    assert lines[-1].lane_seconds == pytest.approx(3.0)
    assert all(line.measured >= line.lane_seconds / line.lanes for line in lines)
    assert all(line.simulated >= line.lane_seconds / line.lanes for line in lines)
    assert "a training that waits for nothing, in processor milliseconds" in capsys.readouterr().out


def test_the_machine_s_cores_bound_what_is_predicted():
    base = Measured(10, wall=1.0, flow=0.1, server=0.2, lanes=0.1, cores=2.0)
    assert base.work == pytest.approx(0.04)
    assert predict([0.0] * 100, 50, base, cores=2.0) == pytest.approx(100 * 0.04 / 2)
    assert predict([0.0] * 100, 50, base, cores=1.0) == pytest.approx(100 * 0.04)
    assert predict([1.0] * 100, 2, base, cores=2.0) == pytest.approx(50, rel=0.05)
    assert predict([1.0] * 100, 50, base, cores=2.0, working=100.0) == pytest.approx(104 / 2)
