"""Devices: discovery and pinning, with a stand-in list of GPUs, as none is at hand."""

import os
import resource
from pathlib import Path

import pytest

from study.errors import InputError
from tasks.lanes import devices
from tasks.lanes.devices import Device, choose_devices, list_gpus, usable_gpus, useful_lanes

CPU, A, B = Device("CPU"), Device("GPU", "GPU-a"), Device("GPU", "GPU-b")


def find_two() -> tuple[str, ...]:
    return ("GPU-a", "GPU-b")


def find_none() -> tuple[str, ...]:
    return ()


@pytest.mark.parametrize(
    ("find_gpus", "options", "devices"),
    [
        (find_none, {}, [CPU] * 3),
        (find_none, {"lanes": 5}, [CPU] * 5),
        (find_two, {}, [A, B]),
        (find_two, {"lanes_per_gpu": 2}, [A, B, A, B]),
        (find_two, {"lanes": 3}, [A, B, A]),
    ],
)
def test_there_is_a_lane_a_core_or_a_gpu_and_else_as_many_as_are_asked_for(
    find_gpus, options: dict[str, int], devices: list[Device]
):
    assert choose_devices(**options, find_gpus=find_gpus, cores=3) == devices


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lanes": 0}, "--lanes: 0 is not allowed; give 1 or more, or leave it out"),
        ({"lanes": -2}, "--lanes: -2 is not allowed"),
        ({"lanes_per_gpu": 0}, "--lanes-per-gpu: 0 is not allowed"),
    ],
)
def test_fewer_than_one_lane_is_refused(options: dict[str, int], message: str):
    with pytest.raises(InputError, match=message):
        choose_devices(**options, find_gpus=find_two)


def test_a_low_limit_of_open_files_lets_fewer_lanes_run_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert len(choose_devices(None, find_gpus=list, cores=96)) == 82
    assert caplog.messages == [
        "82 lanes instead of 96: this machine lets a program open 1024 files, a lane needs 10: `ulimit -n`"
    ]
    assert len(choose_devices(None, find_gpus=list, cores=64)) == 64
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert len(choose_devices(None, find_gpus=list, cores=96)) == 96
    assert len(caplog.messages) == 1


def test_a_gpu_lane_sees_its_own_gpu_only():
    assert B.environment["CUDA_VISIBLE_DEVICES"] == "GPU-b"


def test_a_cpu_lane_sees_no_gpu_and_computes_with_one_thread():
    environment = CPU.environment
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1"
    threads = {"OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"}
    assert {environment[name] for name in threads} == {"1"}


def test_visible_devices_narrow_the_gpus_as_in_cuda():
    assert list_gpus({"CUDA_VISIBLE_DEVICES": "2, 0"}) == ["2", "0"]
    assert list_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    assert list_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == []


@pytest.mark.parametrize(
    ("script", "gpus", "said"),
    [
        ("printf 'GPU-a\\nGPU-b\\n'", ["GPU-a", "GPU-b"], ""),
        ("exit 9", [], "nvidia-smi failed, so no GPU is used"),
    ],
)
def test_gpus_are_listed_by_the_driver_s_own_program_and_its_failure_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, script, gpus, said
):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert list_gpus({}) == gpus
    assert said in caplog.text


@pytest.mark.parametrize(("seen", "usable"), [(True, ["GPU-a"]), (False, [])])
def test_gpus_that_tensorflow_cannot_use_are_no_lanes(monkeypatch, caplog, seen: bool, usable: list[str]):
    monkeypatch.setattr(devices, "list_gpus", lambda: ["GPU-a"])
    monkeypatch.setattr(devices, "_tensorflow_sees_gpus", lambda: seen)
    assert usable_gpus() == usable
    assert ("1 GPU listed, but TensorFlow cannot use any" in caplog.text) == (not seen)


def test_tensorflow_is_not_asked_where_no_gpu_is_listed(monkeypatch):
    monkeypatch.setattr(devices, "list_gpus", list)
    monkeypatch.setattr(devices, "_tensorflow_sees_gpus", pytest.fail)
    assert usable_gpus() == []


def test_cpu_lanes_beyond_the_cores_do_not_make_it_faster():
    assert useful_lanes([CPU] * 8, cores=2) == 2
    assert useful_lanes([CPU], cores=2) == 1
    assert useful_lanes([A] * 8, cores=2) == 8
