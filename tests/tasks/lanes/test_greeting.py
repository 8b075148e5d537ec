"""What a lane says of itself, and why it is refused."""

from pathlib import Path

from tasks.lanes.devices import Device
from tasks.lanes.members import find_device, hash_code, introduce, read_lane_facts, read_versions, why_refused

HERE = {"python": "3.11.7", "code": "abc (commit 1)", "numpy": "2.4.6", "prefect": "3.8.8", "other": "1"}


def test_the_same_versions_are_not_refused():
    assert why_refused(read_versions(), read_versions()) is None
    assert why_refused({**HERE, "code": "abc (commit unknown)", "other": "2", "more": "1"}, HERE) is None


def test_both_versions_are_named_and_not_too_many():
    there = {"python": "3.12.0", "code": "abd (commit 2)", "numpy": "2.3.0"}
    assert why_refused(there, HERE) == (
        "python 3.12.0 there, 3.11.7 here; code abd (commit 2) there, abc (commit 1) here; "
        "numpy 2.3.0 there, 2.4.6 here; and 1 more"
    )


def test_the_code_that_runs_in_a_lane_is_told_apart_by_its_contents(tmp_path: Path):
    for folder in ("one", "two"):
        (tmp_path / folder / "tasks").mkdir(parents=True)
        (tmp_path / folder / "tasks" / "a.py").write_text("1")
    assert hash_code(tmp_path / "one") == hash_code(tmp_path / "two")
    hash_code.cache_clear()
    (tmp_path / "two" / "tasks" / "a.py").write_text("2")
    assert hash_code(tmp_path / "one") != hash_code(tmp_path / "two")


def test_a_lane_sees_its_first_gpu_only():
    assert find_device({"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}) == Device("GPU", "GPU-a")
    assert find_device({"CUDA_VISIBLE_DEVICES": "-1"}) == Device("CPU")


def test_a_greeting_says_what_would_train(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    facts = read_lane_facts("auto")
    assert (facts.device, facts.engine) == (Device("CPU"), "native")
    assert facts.versions["numpy"] == read_versions()["numpy"]


def test_what_stands_in_the_way_is_told_with_the_versions(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    versions, reason = introduce("native")
    assert "numpy" in versions
    assert isinstance(reason, str)
    assert reason.startswith("InputError: --engine: native cannot be used here: it trains on CPU cores")
