"""The bench of several hosts: they reach each other, can be cut off, and leave nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cluster import CODE
from tests.hosts import Host, network, why_impossible
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.skipif(why_impossible() is not None, reason=str(why_impossible()))

COUNT = """
import socket, sys
server = socket.create_server((sys.argv[1], 7))
print("ready", flush=True)
while True:
    peer = server.accept()[0]
    peer.sendall(b"first\\n")
    sys.stdin.readline()
    peer.sendall(b"second\\n")
    peer.close()
    print("sent", flush=True)
"""
ASK = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 7), float(sys.argv[2]))
peer.settimeout(None)
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


def answer(host: Host) -> "subprocess.Popen[str]":
    """Let a host answer each that asks with a line, and with another when it is told to go on."""
    process = host.start([sys.executable, "-c", COUNT, host.address], out=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go_on(answerer: "subprocess.Popen[str]") -> None:
    """Let it send the second line; return once it has done so."""
    print("", file=answerer.stdin, flush=True)
    assert answerer.stdout is not None
    assert answerer.stdout.readline() == "sent\n"


def ask(asker: Host, answerer: Host, patience_seconds: float = WAIT_SECONDS) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", ASK, answerer.address, patience_seconds]
    return asker.start(command, out=subprocess.PIPE)


def read(process: "subprocess.Popen[str]", lines: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]


def list_namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


def test_hosts_reach_each_other_but_for_one_that_is_cut_off(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        answerer = answer(other)
        for is_cut in (False, True, False):
            if is_cut:
                other.cut()
                assert "timed out" in ask(one, other, 1.0).communicate()[0]
                other.mend()
            else:
                asked = ask(one, other)
                assert read(asked, 2) == ["one", "first"]
                go_on(answerer)
                assert asked.communicate()[0] == "second\n"


def test_a_host_that_returns_soon_has_lost_nothing_and_no_peer_was_told(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        answerer = answer(other)
        asked = ask(one, other)
        assert read(asked, 2) == ["one", "first"]
        other.cut()
        go_on(answerer)  # it has sent everything and closed the connection: packets that vanish
        assert asked.poll() is None
        other.mend()
        assert asked.communicate()[0] == "second\n"


def test_files_are_apart_and_a_killed_host_leaves_no_process(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        folders = [{*each.environment.values()} for each in (one, other)]
        assert all(Path(each).is_dir() for each in folders[0] | folders[1])
        assert not folders[0] & folders[1]
        begun = one.start([sys.executable, "-c", DAEMON], out=subprocess.PIPE)
        assert begun.communicate()[0] == "begun\n"
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
        wait_until(lambda: psutil.Process(sleeper).name() == "sleep")
        test.send_signal(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(sleeper))
    assert f"study-{test.pid}-" in list_namespaces()
    with network(tmp_path / "next"):
        assert f"study-{test.pid}-" not in list_namespaces()
