"""Another user of this machine can neither read nor run anything: tried on real lanes."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest

from tasks.lanes.devices import Device
from tasks.lanes.local import LocalLanes
from tests.waiting import WAIT_SECONDS

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
NOBODY = 65534
SECRETS = (b"PRIVATE KEY", b"BEGIN CERTIFICATE")
PAGES = ("", "health", "metrics", "json/identity.json", "info/main/workers.html", "api/v1/get_workers")


@dataclass(frozen=True)
class Seen:
    """What the lanes opened and started, with sockets as (process, address, port).

    `temporary` is the folder for everyone's temporary files, where a stranger had laid links to `bystander`.
    """

    sockets: frozenset[tuple[int, str, int]]
    processes: tuple[psutil.Process, ...]
    temporary: Path
    bystander: Path
    import_path: tuple[str, ...]

    def ports(self, of_lanes: bool) -> list[int]:
        """Ports of the lanes' processes, or of the scheduler and the nannies in this one."""
        return [port for process, _, port in self.sockets if (process != os.getpid()) == of_lanes]


def look() -> tuple[frozenset[tuple[int, str, int]], list[psutil.Process]]:
    own = psutil.Process()
    processes = [own, *own.children(recursive=True)]
    return frozenset(
        (process.pid, connection.laddr.ip, connection.laddr.port)
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ), processes


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    temporary = tmp_path_factory.mktemp("temporary")
    bystander = temporary / "bystander"
    bystander.write_text("precious")
    scratch = temporary / "dask-scratch-space"  # Dask's own name for it, which anyone can have taken before
    scratch.mkdir()
    for lock in ("global.lock", "purge.lock"):
        (scratch / lock).symlink_to(bystander)
    sockets, processes = look()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setenv("TMPDIR", str(temporary))
        with LocalLanes([Device("CPU"), Device("CPU")]) as lanes, ThreadPoolExecutor(2) as threads:
            assert list(threads.map(lanes.run, "ab", [os.getppid] * 2)) == [os.getpid()] * 2
            now, started = look()
            new = tuple(process for process in started if process not in processes)
            yield Seen(now - sockets, new, temporary, bystander, tuple(sys.path))


@pytest.fixture
def anyones_folder() -> Iterator[Path]:
    """A folder that every user can reach and write to, which pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_scheduler_nannies_and_lanes_listen_on_loopback_only(seen: Seen):
    assert len(seen.ports(of_lanes=False)) >= 3  # a scheduler and two nannies
    assert len(seen.ports(of_lanes=True)) >= 2
    assert {address for _, address, _ in seen.sockets} == {"127.0.0.1"}


@pytest.mark.parametrize("user", [-1, NOBODY], ids=["the same user", "another user"])
def test_a_stranger_without_the_credentials_gets_nothing_and_runs_nothing(
    seen: Seen, user: int, anyones_folder: Path
):
    if user >= 0 and os.geteuid() != 0:
        pytest.skip("only root can become another user; tried as the same user only")
    planted = anyones_folder / "planted"
    ports = seen.ports(of_lanes=False) + seen.ports(of_lanes=True)
    command = [sys.executable, "-m", "tests.stranger", user, planted, *ports]
    done = subprocess.run(
        list(map(str, command)),
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(anyones_folder)},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    got: dict[str, dict[str, str]] = json.loads(done.stdout)
    assert got["comparison"] == {"identity": "Scheduler", "client": "ran"}  # so the attempts are real
    assert len(got["lanes"]) == 4 * len(ports)
    assert {key: value for key, value in got["lanes"].items() if not value.startswith("refused: ")} == {}
    assert not planted.exists()


def ask_for_pages(ports: list[int]) -> dict[str, Any]:
    """The pages that were answered by plain HTTP, with what they said."""
    answered = {}
    for address in [f"http://127.0.0.1:{port}/{page}" for port in ports for page in PAGES]:
        try:
            with urlopen(address, timeout=3) as answer:
                answered[address] = answer.read(100)
        except HTTPError as error:
            if error.code != 404:
                answered[address] = error.code
        except OSError:
            pass
    return answered


def test_scheduler_nannies_and_lanes_answer_nothing_over_plain_http(seen: Seen):
    assert ask_for_pages(seen.ports(of_lanes=False) + seen.ports(of_lanes=True)) == {}


def test_no_credentials_are_in_a_command_line_or_an_environment(seen: Seen):
    assert len(seen.processes) >= 2
    for process in seen.processes:
        for name in ("cmdline", "environ"):
            content = Path("/proc", str(process.pid), name).read_bytes()
            assert not any(secret in content for secret in SECRETS), process


def test_no_credentials_are_left_on_disk(seen: Seen):
    files = [path for path in seen.temporary.rglob("*") if path.is_file() and path != seen.bystander]
    assert files  # locks, so the right folder is looked at
    assert [path for path in files if any(secret in path.read_bytes() for secret in SECRETS)] == []


def test_the_lanes_own_folder_is_for_this_user_only(seen: Seen):
    (folder,) = seen.temporary.glob("lanes-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_links_that_a_stranger_laid_in_the_shared_temporary_folder_are_not_followed(seen: Seen):
    assert seen.bystander.read_text() == "precious"


def test_nothing_is_imported_from_a_folder_that_a_stranger_could_have_made(seen: Seen):
    (folder,) = seen.temporary.glob("lanes-*")
    from_temporary = [path for path in map(Path, seen.import_path) if path.is_relative_to(seen.temporary)]
    assert [path for path in from_temporary if not path.is_relative_to(folder)] == []
