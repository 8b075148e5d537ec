"""The limit of memory that a container sets, with folders in place of the kernel's."""

from pathlib import Path

import psutil
import pytest

from tasks.lanes.devices import Device
from tasks.lanes.memory import KillWatch, Memory, find_memory, fit_memory

LIMITED = {
    "cgroup v2": ("0::/jobs/mine\n", "jobs/mine/memory.max", "jobs/mine/memory.events"),
    "cgroup v2, set outside": ("0::/jobs/mine\n", "jobs/memory.max", "jobs/mine/memory.events"),
    "cgroup v2, in a container": ("0::/\n", "memory.max", "memory.events"),
    "cgroup v1": (
        "5:cpu:/\n4:memory:/mine\n0::/\n",
        "memory/mine/memory.limit_in_bytes",
        "memory/mine/memory.oom_control",
    ),
    "cgroup v1, in a container that sees the machine's path": (
        "4:memory:/docker/1a2b\n", "memory/memory.limit_in_bytes", "memory/memory.oom_control",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITED)
def test_the_limit_of_a_control_group_is_found_and_the_killed_are_counted(case: str, tmp_path: Path):
    own, limit, counter = LIMITED[case]
    (tmp_path / "own").write_text(own)
    for path, text in ((limit, "1500000000\n"), (counter, "oom 3\noom_kill 2\n")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    memory = find_memory(tmp_path, tmp_path / "own")
    assert (memory.most, memory.owner, memory.count_killed()) == (1_500_000_000, "container", 2)


def test_without_a_limit_the_machine_has_the_memory_that_it_has(tmp_path: Path):
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "memory.max").write_text("max\n")
    for own in ("own", "none"):
        memory = find_memory(tmp_path, tmp_path / own)
        assert (memory.most, memory.owner) == (psutil.virtual_memory().total, "machine")


@pytest.mark.parametrize(
    ("gigabytes", "lanes", "messages"),
    [
        (4.2, 8, []),
        (2.4, 2, ["2 lanes instead of 8: this container may use 2.4 GB of memory"]),
        (0.7, 1, ["1 lane instead of 8: this container may use 0.7 GB of memory"]),
    ],
)
def test_a_low_limit_of_memory_lets_fewer_lanes_run_and_says_so(
    gigabytes: float, lanes: int, messages: list[str], caplog: pytest.LogCaptureFixture
):
    memory = Memory(int(gigabytes * 1e9), "container", ())
    assert fit_memory([Device("CPU")] * 8, 300_000_000, memory) == [Device("CPU")] * lanes
    needed = "; a run needs about 1.7 GB, and 0.3 GB for each lane"
    assert caplog.messages == [each + needed for each in messages]


def test_processes_that_are_killed_for_lack_of_memory_are_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    events = tmp_path / "memory.events"
    events.write_text("oom_kill 4\n")
    watch = KillWatch(Memory(700_000_000, "container", (tmp_path / "none", events)))
    watch.look()
    for killed in (5, 5, 7):
        events.write_text(f"oom_kill {killed}\n")
        watch.look()
    told = "for lack of memory: this container may use 0.7 GB; fewer --lanes need less"
    assert caplog.messages == [f"1 process was killed {told}", f"2 processes were killed {told}"]
