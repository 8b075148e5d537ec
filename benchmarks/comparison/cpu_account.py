"""The CPU seconds of a process tree: a control group of its own counts everyone in it, to the end.

Where no group can be made, what the kernel tells a parent of its ended children is taken (`RUSAGE_CHILDREN`),
or the last seconds seen of each process, whichever is more: some parents, Ray's among them, let the kernel
reap their children, and what those took is told to nobody.
"""

import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_MOUNT = Path("/sys/fs/cgroup")


class CpuAccount:
    """Adds up the CPU seconds of one process tree."""

    def __init__(self, group: Path | None) -> None:
        self._group = group
        self._seen: dict[tuple[int, float], float] = {}

    @property
    def _counted(self) -> float:
        return 0.0 if self._group is None else _read_seconds(self._group)

    @property
    def source(self) -> str:
        """Where the seconds come from, in words."""
        return "control group" if self._counted else "RUSAGE_CHILDREN or polling"

    def join(self) -> None:
        """Enter the account: called in the tree's first process, before it executes its program."""
        if self._group is not None:
            with suppress(OSError):  # it may be made but not entered; then it counts nothing
                (self._group / "cgroup.procs").write_text("0", encoding="ascii")

    def look(self, tree: Iterable[psutil.Process]) -> None:
        """Note what these processes took so far."""
        for process in tree:
            with suppress(psutil.Error):  # it has ended
                times = process.cpu_times()
                self._seen[process.pid, process.create_time()] = times.user + times.system

    def seconds(self) -> float:
        """What the tree took, once all of it has ended and is reaped by this process."""
        if self._counted:
            return self._counted
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return max(used.ru_utime + used.ru_stime, sum(self._seen.values()))


@contextmanager
def open_account(mount: Path = _MOUNT) -> Iterator[CpuAccount]:
    """Open an account; its control group, if one can be made, goes when it is closed."""
    group = _make_group(mount)
    try:
        yield CpuAccount(group)
    finally:
        if group is not None:
            with suppress(OSError):  # somebody is still in it: an empty group too many does no harm
                group.rmdir()


def _make_group(mount: Path) -> Path | None:
    """A new group that counts CPU time below this process's own: cgroup version 2, else version 1."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        for hierarchy in (mount, mount / "unified") if not controllers else (mount / controllers,):
            group = hierarchy / path.lstrip("/") / f"comparison-{os.getpid()}"
            if controllers not in ("", "cpuacct", "cpu,cpuacct") or not group.parent.is_dir():
                continue
            try:
                group.mkdir()
                _read_seconds(group)
            except OSError:
                with suppress(OSError):
                    group.rmdir()
                continue
            return group
    return None


def _read_seconds(group: Path) -> float:
    """Seconds a group has used: `usage_usec` of version 2, `cpuacct.usage` (nanoseconds) of version 1."""
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text(encoding="ascii")) / 1e9
    lines = (group / "cpu.stat").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("usage_usec"))) / 1e6
