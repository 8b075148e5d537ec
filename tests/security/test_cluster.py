"""A scheduler elsewhere, with the certificate of docs/cluster.md: who has its key gets in, nobody else."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import SCHEDULER
from tests.served import PROJECT, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

BLOCK = re.findall(
    r"```sh\n(.*?)```", (PROJECT / "docs" / "cluster.md").read_text(encoding="utf-8"), re.DOTALL
)[0]
"""How the page makes a certificate."""
GET_IN = """
import os, sys
from distributed import Client
with Client(sys.argv[1], timeout=10) as client:
    print(client.run_on_scheduler(os.getpid))
"""


def make_certificate(home: Path) -> dict[str, str]:
    """Carry out what the page says, but for copying it to other hosts; the environment that it makes."""
    home.mkdir()
    commands = BLOCK.partition("for host in")[0] + "\n. ./tls.sh && env -0"
    done = subprocess.run(
        ["bash", "-e", "-c", commands], env={**os.environ, "HOME": str(home)}, check=True, capture_output=True
    )
    made = dict(each.split("=", 1) for each in done.stdout.decode().split("\0") if "=" in each)
    return {name: value for name, value in made.items() if name.startswith("DASK_")}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_certificate(tmp_path_factory.mktemp("keys") / "home")


@pytest.fixture(scope="module")
def port(keys: dict[str, str]) -> Iterator[int]:
    port = free_port()
    command = [*SCHEDULER, "--protocol", "tls", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    command += ["--dashboard-address", "127.0.0.1:0"]
    with subprocess.Popen(command, env={**os.environ, **keys}, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: get_in(port, keys).returncode == 0)
            yield port
        finally:
            process.kill()


def get_in(port: int, keys: dict[str, str], protocol: str = "tls") -> "subprocess.CompletedProcess[str]":
    """Try to run something on the scheduler's machine."""
    command = [sys.executable, "-c", GET_IN, f"{protocol}://127.0.0.1:{port}"]
    return subprocess.run(
        command, env={**os.environ, **keys}, capture_output=True, text=True, timeout=60, check=False
    )


def test_who_has_the_key_runs_anything(port: int, keys: dict[str, str]):
    assert int(get_in(port, keys).stdout) > 0


@pytest.mark.parametrize("protocol", ["tls", "tcp"])
def test_who_has_no_key_does_not_get_in(port: int, protocol: str):
    done = get_in(port, {}, protocol)
    assert (done.returncode, done.stdout) == (1, "")


def test_who_has_another_key_does_not_get_in(port: int, tmp_path: Path):
    done = get_in(port, make_certificate(tmp_path / "home"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "TLS certificate does not match" in done.stderr


def test_who_trusts_the_certificate_without_having_its_key_does_not_get_in(
    port: int, keys: dict[str, str], tmp_path: Path
):
    other = make_certificate(tmp_path / "home")
    authority = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE"
    done = get_in(port, {**other, authority: keys[authority]})
    assert (done.returncode, done.stdout) == (1, "")


def test_the_key_is_its_owners_alone(keys: dict[str, str]):
    key = Path(keys["DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY"])
    assert (key.stat().st_mode & 0o077, key.parent.stat().st_mode & 0o077) == (0, 0)


def test_who_has_the_key_does_not_talk_without_it(port: int, keys: dict[str, str]):
    assert "encryption required" in get_in(port, keys, "tcp").stderr
