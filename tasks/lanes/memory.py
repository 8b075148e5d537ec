"""The memory that this machine or container (cgroup) allows, and the processes killed for lack of it."""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from study.wording import count
from tasks.lanes.devices import Device

logger = logging.getLogger(__name__)

_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_VMSTAT = Path("/proc/vmstat")

_RUN_BYTES = 1_700_000_000
"""Memory of a run besides its lanes, most while the saved model's files are loaded again by fresh processes.
Measured on `smoke`: all processes together 1.77 GB then, when its lanes have ended."""


@dataclass(frozen=True)
class Memory:
    """The memory that this process and its children may use, in bytes, and whose limit that is."""

    most: int
    owner: str
    """ "machine" or "container"."""
    counters: tuple[Path, ...]
    """Files with a line "oom_kill N": processes killed for lack of memory."""

    def count_killed(self) -> int:
        """Count the processes that were killed for lack of memory so far; 0 if the kernel does not count."""
        for path in self.counters:
            with suppress(OSError, ValueError):
                for line in path.read_text().splitlines():
                    name, _, number = line.partition(" ")
                    if name == "oom_kill":
                        return int(number)
        return 0


def find_memory(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> Memory:
    """Return the machine's memory, or less where a control group of version 1 or 2 limits it.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, "Memory Interface Files", and cgroup-v1/memory.html.
    """
    machine, folders = psutil.virtual_memory().total, _list_groups(cgroups, own)
    limits = [machine]
    for folder in folders:
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # there is no such file, or it says "max"
                limits.append(int((folder / name).read_text()))
    counters = [folder / name for folder in folders for name in ("memory.events", "memory.oom_control")]
    owner = "container" if min(limits) < machine else "machine"
    return Memory(min(limits), owner, (*counters, _VMSTAT))


def _list_groups(cgroups: Path, own: Path) -> list[Path]:
    """List the folders of this process's memory group and of those around it, from the inside out.

    Inside a container the outer part of the path does not exist, and its own group is the outermost folder.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(",") or not controllers:
            base = cgroups / "memory" if controllers else cgroups
            group = base / path.lstrip("/")
            folders += [each for each in (group, *group.parents) if each.is_relative_to(base)]
    return folders


def fit_memory(devices: Sequence[Device], lane_bytes: int, memory: Memory | None = None) -> list[Device]:
    """Return the devices of as many lanes as the memory has room for, at least one; log it if it is short."""
    memory = memory or find_memory()
    most = (memory.most - _RUN_BYTES) // lane_bytes
    if len(devices) <= most:
        return list(devices)
    most = max(1, most)
    fewer = f" instead of {len(devices)}" if most < len(devices) else ""
    logger.warning(
        "%s%s: this %s may use %.1f GB of memory; a run needs about %.1f GB, and %.1f GB for each lane",
        count(most, "lane"), fewer, memory.owner, memory.most / 1e9, _RUN_BYTES / 1e9, lane_bytes / 1e9,
    )  # fmt: skip
    return list(devices[:most])


class KillWatch:
    """Warns of processes that are killed for lack of memory, within the second in which it is asked."""

    def __init__(self, memory: Memory | None = None) -> None:
        """Begin to count."""
        self._memory = memory or find_memory()
        self._seen, self._lock = self._memory.count_killed(), threading.Lock()

    def look(self) -> None:
        """Log how many were killed since the last look, if any."""
        with self._lock:
            seen = self._memory.count_killed()
            killed, self._seen = seen - self._seen, seen
        if killed > 0:
            logger.warning(
                "%s for lack of memory: this %s may use %.1f GB; fewer --lanes need less",
                count(killed, "process was killed", "processes were killed"),
                self._memory.owner,
                self._memory.most / 1e9,
            )
