"""Hosts on one machine: network namespaces on a bridge of their own, each with a home of its own.

They share nothing but the code and the disk. A host can be cut off as a real one is: its packets vanish, and
no peer is told. Whatever runs on a host ends with the thread that started it, a killed test's, too; what such
a test leaves of its network is removed by the next one.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import IO

import psutil

_NETWORK = "10.77.0."


@cache
def why_impossible() -> str | None:
    """Why no hosts can be made here; None if they can."""
    missing = [each for each in ("ip", "unshare", "setpriv") if shutil.which(each) is None]
    if missing:
        return f"no network namespaces: {', '.join(missing)} missing (iproute2, util-linux)"
    name = _new_name()
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"no network namespaces: {done.stderr.strip()}"
    _ip("netns", "delete", name)
    return None


class Host:
    """A network namespace with an address, a name and a home."""

    def __init__(self, network: str, namespace: str, name: str, address: str, home: Path) -> None:
        self.name, self.address, self.home = name, address, home
        self._network, self._namespace = network, namespace
        self._port = f"to-{name}"[:15]
        self._started: list[subprocess.Popen[str]] = []
        for folder in ("home", "cache", "tmp", "prefect"):
            (home / folder).mkdir(parents=True)

    @property
    def environment(self) -> dict[str, str]:
        """What tells a program that it is on this host."""
        return {
            "HOME": str(self.home / "home"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "TMPDIR": str(self.home / "tmp"),
            "PREFECT_HOME": str(self.home / "prefect"),
        }

    def start(
        self,
        command: Sequence[object],
        environment: Mapping[str, str] | None = None,
        out: IO[str] | int = subprocess.DEVNULL,
    ) -> "subprocess.Popen[str]":
        """Start a program on this host; what it says, on both streams, goes to `out`."""
        inside = f"ip netns exec {self._namespace} unshare --uts setpriv --pdeathsig KILL".split()
        named = ("sh", "-c", f'hostname {self.name}; exec "$@"', "sh", *map(str, command))
        process = subprocess.Popen(
            [*inside, *named], stdin=subprocess.PIPE, stdout=out,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, **self.environment, **(environment or {})},
        )  # fmt: skip
        self._started.append(process)
        return process

    def cut(self) -> None:
        """Let every packet to and from it vanish."""
        _ip("-n", self._network, "link", "set", self._port, "down")

    def mend(self) -> None:
        """Let packets pass again."""
        _ip("-n", self._network, "link", "set", self._port, "up")

    def kill(self) -> None:
        """Kill every process on it, those too that one starts meanwhile."""
        _kill_all(self._namespace)

    def end(self) -> None:
        """Kill every process, and let go of those that were started here."""
        self.kill()
        for process in self._started:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def processes(self) -> list[int]:
        """Ids of the processes on it."""
        return _list_processes(self._namespace)


class Network:
    """Hosts that reach each other, and nothing else."""

    def __init__(self, folder: Path) -> None:
        _remove_abandoned()
        self._folder, self._hosts = folder, dict[str, Host]()
        self._undo = ExitStack()
        self._name = _new_name()
        self._add_namespace(self._name)
        _ip("-n", self._name, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._name, "link", "set", "bridge", "up")

    def host(self, name: str) -> Host:
        """Add a host."""
        namespace = f"{self._name}-{name}"
        address = f"{_NETWORK}{len(self._hosts) + 1}"
        self._add_namespace(namespace)
        host = self._hosts[namespace] = Host(self._name, namespace, name, address, self._folder / name)
        self._undo.callback(host.end)
        port = host._port
        peer = ("peer", "name", "eth0", "netns", namespace)
        _ip("-n", self._name, "link", "add", port, "type", "veth", *peer)
        _ip("-n", self._name, "link", "set", port, "master", "bridge", "up")
        _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _ip("-n", namespace, "link", "set", device, "up")
        return host

    def remove(self) -> None:
        """Kill what runs on the hosts, and remove them."""
        self._undo.close()

    def _add_namespace(self, name: str) -> None:
        _ip("netns", "add", name)
        self._undo.callback(_ip, "netns", "delete", name)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A network while the body runs; homes of its hosts are in the folder."""
    made = Network(folder)
    try:
        yield made
    finally:
        made.remove()


def _new_name() -> str:
    return f"study-{os.getpid()}-{token_hex(3)}"


def _remove_abandoned() -> None:
    """Remove networks whose maker is gone: it was killed."""
    for name in re.findall(r"^study-\d+-\S+", _ip("netns", "list"), flags=re.MULTILINE):
        if not psutil.pid_exists(int(name.split("-")[1])):
            with suppress(subprocess.CalledProcessError):  # another test has done so
                _kill_all(name)
                _ip("netns", "delete", name)


def _kill_all(namespace: str) -> None:
    while processes := _list_processes(namespace):
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def _list_processes(namespace: str) -> list[int]:
    return [int(each) for each in _ip("netns", "pids", namespace).split()]


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout
