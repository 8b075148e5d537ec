"""Devices: discovery and pinning, with a stand-in list of GPUs, as none is at hand."""

import os
import stat
from pathlib import Path

import pytest

from study.errors import InputError
from tasks.lanes.devices import Device, choose_devices, list_gpus, useful_lanes

TWO_GPUS = ("GPU-a", "GPU-b")


def find_two() -> tuple[str, ...]:
    return TWO_GPUS


def find_none() -> tuple[str, ...]:
    return ()


def test_without_a_gpu_there_is_one_lane_a_core():
    assert choose_devices(find_gpus=find_none, cores=3) == [Device("CPU")] * 3


def test_with_gpus_there_is_one_lane_a_gpu():
    assert choose_devices(find_gpus=find_two, cores=16) == [Device("GPU", "GPU-a"), Device("GPU", "GPU-b")]


def test_lanes_per_gpu_share_the_gpus_in_turn():
    devices = choose_devices(lanes_per_gpu=2, find_gpus=find_two, cores=16)
    assert [device.gpu for device in devices] == ["GPU-a", "GPU-b", "GPU-a", "GPU-b"]


def test_a_number_of_lanes_overrides_both():
    assert len(choose_devices(lanes=5, find_gpus=find_none, cores=2)) == 5
    assert [device.gpu for device in choose_devices(lanes=3, find_gpus=find_two)] == [
        "GPU-a",
        "GPU-b",
        "GPU-a",
    ]


def test_a_gpu_lane_sees_its_own_gpu_only():
    assert Device("GPU", "GPU-b").environment["CUDA_VISIBLE_DEVICES"] == "GPU-b"


def test_a_cpu_lane_sees_no_gpu_and_computes_with_one_thread():
    environment = Device("CPU").environment
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1"
    threads = {"OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"}
    assert {environment[name] for name in threads} == {"1"}


def test_visible_devices_narrow_the_gpus_as_in_cuda():
    assert list_gpus({"CUDA_VISIBLE_DEVICES": "2, 0"}) == ["2", "0"]
    assert list_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    assert list_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == []


@pytest.mark.parametrize("count", [0, -2])
def test_fewer_than_one_lane_is_refused(count: int):
    with pytest.raises(InputError, match=f"--lanes: {count} is not allowed; give 1 or more, or leave it out"):
        choose_devices(lanes=count, find_gpus=find_none)


def test_fewer_than_one_lane_a_gpu_is_refused():
    with pytest.raises(InputError, match="--lanes-per-gpu: 0 is not allowed"):
        choose_devices(lanes_per_gpu=0, find_gpus=find_two)


def test_gpus_are_listed_by_the_driver_s_own_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf 'GPU-a\\nGPU-b\\n'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert list_gpus({}) == ["GPU-a", "GPU-b"]


def test_a_driver_s_program_that_fails_means_no_gpu_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert list_gpus({}) == []
    assert "nvidia-smi failed, so no GPU is used" in caplog.text


def test_cpu_lanes_beyond_the_cores_do_not_make_it_faster():
    assert useful_lanes([Device("CPU")] * 8, cores=2) == 2
    assert useful_lanes([Device("CPU")], cores=2) == 1
    assert useful_lanes([Device("GPU", "0")] * 8, cores=2) == 8
