"""The bench of several hosts: they reach each other, can be cut off, and leave nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.chaos import wait_until
from tests.cluster import CODE
from tests.hosts import Host, network, why_impossible

pytestmark = pytest.mark.skipif(why_impossible() is not None, reason=str(why_impossible()))

COUNT = """
import socket, sys, time
server = socket.create_server((sys.argv[1], 7))
print("ready", flush=True)
while True:
    peer = server.accept()[0]
    for number in range(int(sys.argv[2])):
        peer.sendall(f"{number}\\n".encode())
        time.sleep(0.1)
    peer.close()
"""
ASK = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 7), 2)
peer.settimeout(30)
print(socket.gethostname(), flush=True)
for line in peer.makefile():
    print(line, end="", flush=True)
"""
DAEMON = """
from subprocess import DEVNULL, Popen
Popen(["sleep", "300"], stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
print("begun")
"""
ABANDON = """
import sys, time
from pathlib import Path
from tests.hosts import network
with network(Path(sys.argv[1])) as net:
    print(net.host("left").start(["sleep", "300"]).pid, flush=True)
    time.sleep(300)
"""


def answer(host: Host, lines: int) -> None:
    """Let a host send so many lines, in a tenth of a second each, to each that asks."""
    process = host.start([sys.executable, "-c", COUNT, host.address, lines], out=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def ask(asker: Host, answerer: Host) -> "subprocess.Popen[str]":
    return asker.start([sys.executable, "-c", ASK, answerer.address], out=subprocess.PIPE)


def list_namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


def test_hosts_reach_each_other_but_for_one_that_is_cut_off(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        answer(other, 1)
        assert ask(one, other).communicate(timeout=30)[0] == "one\n0\n"
        other.cut()
        assert "timed out" in ask(one, other).communicate(timeout=30)[0]
        other.mend()
        assert ask(one, other).communicate(timeout=30)[0] == "one\n0\n"


def test_a_host_that_returns_soon_has_lost_nothing_and_no_peer_was_told(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        answer(other, 30)
        asked = ask(one, other)
        assert asked.stdout is not None
        assert [asked.stdout.readline() for _ in range(3)] == ["one\n", "0\n", "1\n"]
        other.cut()
        time.sleep(5)  # it would have sent everything by now
        assert asked.poll() is None
        other.mend()
        assert asked.communicate(timeout=60)[0].split() == [str(each) for each in range(2, 30)]


def test_files_are_apart_and_a_killed_host_leaves_no_process(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        folders = [{*each.environment.values()} for each in (one, other)]
        assert all(Path(each).is_dir() for each in folders[0] | folders[1])
        assert not folders[0] & folders[1]
        begun = one.start([sys.executable, "-c", DAEMON], out=subprocess.PIPE)
        assert begun.communicate(timeout=30)[0] == "begun\n"
        stays = other.start(["sleep", "300"])
        assert len(one.processes()) == 1
        one.kill()
        assert one.processes() == []
        assert other.processes() == [stays.pid]
    assert not psutil.pid_exists(stays.pid)
    assert f"study-{os.getpid()}-" not in list_namespaces()


def test_what_a_killed_test_has_left_is_gone(tmp_path: Path):
    command = [sys.executable, "-c", ABANDON, str(tmp_path / "killed")]
    environment = {**os.environ, "PYTHONPATH": str(CODE)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        sleeper = int(test.stdout.readline())
        wait_until(lambda: psutil.Process(sleeper).name() == "sleep", 10)
        test.send_signal(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(sleeper), 10)
    assert f"study-{test.pid}-" in list_namespaces()
    with network(tmp_path / "next"):
        assert f"study-{test.pid}-" not in list_namespaces()
