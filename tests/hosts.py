"""Hosts on one machine: network namespaces on a bridge of their own, each with a home of its own.

They share nothing but the code and the disk. A host can be cut off as a real one is: its packets vanish, and
no peer is told.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO

_NETWORK = "10.77.0."


def why_impossible() -> str | None:
    """Why no hosts can be made here; None if they can."""
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "no network namespaces: `ip` (iproute2) or `unshare` (util-linux) is missing"
    name = f"study-{token_hex(3)}"
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
        named = ["unshare", "--uts", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh", *map(str, command)]
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._namespace, *named], stdin=subprocess.PIPE, stdout=out,
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
        """Kill every process on it."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

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
        return [int(each) for each in _ip("netns", "pids", self._namespace).split()]


class Network:
    """Hosts that reach each other, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._hosts = folder, dict[str, Host]()
        self._name = f"study-{token_hex(3)}"
        _ip("netns", "add", self._name)
        _ip("-n", self._name, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._name, "link", "set", "bridge", "up")

    def host(self, name: str) -> Host:
        """Add a host."""
        namespace = f"{self._name}-{name}"
        address = f"{_NETWORK}{len(self._hosts) + 1}"
        _ip("netns", "add", namespace)
        host = self._hosts[namespace] = Host(self._name, namespace, name, address, self._folder / name)
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
        for namespace, host in self._hosts.items():
            host.end()
            _ip("netns", "delete", namespace)
        _ip("netns", "delete", self._name)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A network while the body runs; homes of its hosts are in the folder."""
    made = Network(folder)
    try:
        yield made
    finally:
        made.remove()


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout
