"""The bench of several hosts: they reach each other, can be cut off, and leave nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cluster import CODE
from tests.hosts import network, why_impossible
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(why_impossible() is not None, reason=str(why_impossible()))

SEND = """
import socket, sys
peer = socket.create_server((sys.argv[1], 7)).accept()[0]
sys.stdin.readline()
peer.sendall(b"all of it\\n")
peer.close()
print("sent", flush=True)
"""
RECEIVE = """
import socket, sys, time
while (peer := socket.socket()).connect_ex((sys.argv[1], 7)):
    peer.close()
    time.sleep(0.05)
print(socket.gethostname(), flush=True)
print(peer.makefile().read(), end="", flush=True)
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


def list_namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


def test_a_host_that_is_cut_off_and_returns_soon_has_lost_nothing_and_no_peer_was_told(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        sender = other.start([sys.executable, "-c", SEND, other.address], out=subprocess.PIPE)
        receiver = one.start([sys.executable, "-c", RECEIVE, other.address], out=subprocess.PIPE)
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "one\n"
        other.cut()
        assert sender.communicate("\n")[0] == "sent\n"  # and the connection closed: packets that vanish
        assert receiver.poll() is None
        other.mend()
        assert receiver.communicate()[0] == "all of it\n"


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
