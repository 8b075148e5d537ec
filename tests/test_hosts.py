"""The bench of several hosts: they reach each other, can be cut off, and leave nothing."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hosts import Host, network, why_impossible

pytestmark = pytest.mark.skipif(why_impossible() is not None, reason=str(why_impossible()))

ANSWER = """
import socket, sys
server = socket.create_server((sys.argv[1], 7))
while True:
    server.accept()[0].send(b"yes")
"""
ASK = "import socket, sys; print(socket.gethostname(), socket.create_connection((sys.argv[1], 7), 2).recv(9))"


def ask(asker: Host, answerer: Host) -> str:
    process = asker.start([sys.executable, "-c", ASK, answerer.address], out=subprocess.PIPE)
    return process.communicate(timeout=30)[0]


def test_hosts_reach_each_other_but_for_one_that_is_cut_off(tmp_path: Path):
    with network(tmp_path) as net:
        one, other = net.host("one"), net.host("other")
        serving = other.start([sys.executable, "-c", ANSWER, other.address])
        time.sleep(1)
        assert ask(one, other) == "one b'yes'\n"
        other.cut()
        assert "timed out" in ask(one, other)
        other.mend()
        assert ask(one, other) == "one b'yes'\n"
        assert one.environment["HOME"] != other.environment["HOME"]
        assert len(other.processes()) == 1
        other.kill()
        assert serving.wait(10) == -9
        assert other.processes() == []
