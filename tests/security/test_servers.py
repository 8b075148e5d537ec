"""Prefect's servers: on loopback unless told otherwise, and then with a password; nothing reports home."""

import os
import signal
import stat
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

from flows.serving.temporary import SERVER_PASSWORD, is_healthy
from tests.command import STUDY
from tests.served import ask, free_port, sockets_of
from tests.toy import write_toy
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

PASSWORD = "admin:correct horse"
EAVESDROPPER = """
import os, sys
def hear(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        target = arguments[0] if event.startswith("socket.get") else arguments[1]
        host = target[0] if isinstance(target, tuple) else target
        with open(os.environ["HEARD"], "a") as heard:
            heard.write(f"{host!r}\\n")
sys.addaudithook(hear)
"""
"""Imported by every Python process as it starts; writes down whom it connects to or looks up."""


def environment_of_a_newcomer(home: object) -> dict[str, str]:
    """Without what this project or its tests set: only what a run sets by itself is seen."""
    ours = ("PREFECT_", "DO_NOT_TRACK", "CI")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)} | {
        "PREFECT_HOME": str(home)
    }


def answers(url: str) -> bool:
    """Whether a server tells its settings to whoever asks."""
    try:
        return bool(ask(url, "admin/settings"))
    except HTTPError as error:
        assert error.code == 401
        return False


@dataclass
class Watched:
    """A run that was looked at while it ran."""

    results: Path
    heard: Path
    code: int | None = None
    sockets: set[tuple[str, int]] = field(default_factory=set)
    server_settings: dict[str, Any] = field(default_factory=dict)
    server_environment: dict[str, str] = field(default_factory=dict)
    told_a_stranger: bool | None = None

    def look(self, process: psutil.Process) -> None:
        self.sockets |= sockets_of(process)
        for child in process.children(recursive=True):
            line = child.cmdline()
            if "flows.serving.database:create" in line and not self.server_settings:
                self.server_environment = child.environ()
                url = f"http://127.0.0.1:{line[line.index('--port') + 1]}"
                password = self.server_environment.get(SERVER_PASSWORD, "")
                self.server_settings = ask(url, "admin/settings", password=password)
                self.told_a_stranger = answers(url)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A small study by the real command, in another folder, by a user whose files are nobody else's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_toy(folder)
    (folder / "ear").mkdir()
    (folder / "ear" / "sitecustomize.py").write_text(EAVESDROPPER)
    run = Watched(folder / "results", folder / "ear" / "heard")
    ears = {"PYTHONPATH": str(run.heard.parent), "HEARD": str(run.heard)}
    process = psutil.Popen(
        [STUDY, "run", "toy.yaml", "--lanes", "1"],
        cwd=folder,
        # Prefect's home of the tests: a new one takes seconds.
        env=environment_of_a_newcomer(os.environ["PREFECT_HOME"]) | ears,
        umask=0o077,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(psutil.Error, OSError):  # one that has just ended, or does not answer yet
                run.look(process)
            time.sleep(0.5)
    finally:
        if process.poll() is None:
            process.kill()
    run.code = process.wait()
    return run


def test_a_run_listens_on_loopback_only(watched: Watched):
    assert watched.code == 0
    assert len(watched.sockets) >= 4  # Prefect's temporary server, a scheduler, a nanny, a lane
    assert {host for host, _ in watched.sockets} == {"127.0.0.1"}


def test_the_temporary_server_of_a_run_tells_strangers_nothing(watched: Watched):
    assert watched.told_a_stranger is False


def test_a_run_in_any_folder_reports_to_nobody(watched: Watched):
    assert watched.server_settings["server"]["analytics_enabled"] is False
    assert watched.server_environment["DO_NOT_TRACK"] == "1"


def test_a_run_calls_nobody_but_itself(watched: Watched):
    assert set(watched.heard.read_text().splitlines()) == {"'127.0.0.1'"}


def test_everything_a_run_writes_is_for_those_whom_the_users_umask_lets_in(watched: Watched):
    paths = [watched.results, *watched.results.rglob("*")]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert {
        str(path): oct(mode) for path, mode in modes.items() if mode != 0o700 - 0o100 * path.is_file()
    } == {}
    kinds = {".parquet", ".npz", ".json", ".png", ".svg", ".html", ".md", ".h5", ".keras"}
    assert {path.suffix for path in paths if path.is_file()} >= kinds


@dataclass(frozen=True)
class Serving:
    """`study serve`, with a password, on another address than the default, stopped by SIGTERM in the end."""

    url: str
    process: psutil.Popen


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serving")
    host, port = "127.0.0.2", free_port()
    process = psutil.Popen(
        [STUDY, "serve", "--host", host, "--port", str(port)],
        cwd=folder,
        env=environment_of_a_newcomer(folder / "home") | {SERVER_PASSWORD: PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://{host}:{port}"
    try:
        wait_until(lambda: is_healthy(url))
        yield Serving(url, process)
        # To the command alone, as a service manager would: server and worker stop, too.
        wait_until(lambda: workers_of(url))
        parts = process.children(recursive=True)
        process.terminate()
        assert process.wait(timeout=WAIT_SECONDS) == 143
        assert not is_healthy(url)
        assert psutil.wait_procs(parts, timeout=WAIT_SECONDS)[1] == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("password", ["", "admin:wrong", "admin", ":"])
@pytest.mark.parametrize("path", ["admin/settings", "flow_runs/filter", "work_pools/study"])
def test_a_server_with_a_password_answers_nobody_without_it(serving: Serving, path: str, password: str):
    with pytest.raises(HTTPError, match="401"):
        ask(serving.url, path, {} if path.endswith("filter") else None, password)


def test_with_a_password_deploying_and_the_worker_go_on_as_without(serving: Serving):
    workers = wait_until(lambda: workers_of(serving.url))
    assert [each["status"] for each in workers] == ["ONLINE"]
    found = ask(serving.url, "deployments/filter", {}, PASSWORD)
    assert {each["name"] for each in found} == {"nightly", "on-demand", "smoke", "alarm"}
    in_the_pool = [each["job_variables"]["env"] for each in found if each["work_pool_name"] == "study"]
    assert [each["DO_NOT_TRACK"] for each in in_the_pool] == ["1", "1", "1"]


def workers_of(url: str) -> Any:
    try:
        return ask(url, "work_pools/study/workers/filter", {}, PASSWORD)
    except HTTPError as error:
        assert error.code == 404  # the pool is not made yet
        return None


def test_serving_listens_where_it_was_told_and_nowhere_else(serving: Serving):
    wait_until(lambda: workers_of(serving.url))
    host, _, port = serving.url.removeprefix("http://").partition(":")
    sockets = sockets_of(serving.process)
    assert (host, int(port)) in sockets
    # The worker has one more, for the runs it starts: on loopback, with a token for each run.
    assert {at for at, number in sockets if number != int(port)} <= {"127.0.0.1"}


def test_the_password_is_in_no_command_line_and_no_file(serving: Serving):
    wait_until(lambda: workers_of(serving.url))
    # The whole password, and as it travels: Prefect may well name a run "important-seahorse".
    secrets = [b"correct horse", b64encode(PASSWORD.encode())]
    lines = [" ".join(each.cmdline()).encode() for each in serving.process.children(recursive=True)]
    assert len(lines) >= 2
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
    home = Path(serving.process.environ()["PREFECT_HOME"])
    contents = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert contents
    assert [path for path, found in contents.items() if any(secret in found for secret in secrets)] == []


def test_serving_reports_to_nobody(serving: Serving):
    assert ask(serving.url, "admin/settings", password=PASSWORD)["server"]["analytics_enabled"] is False
    for each in serving.process.children(recursive=True):
        assert (each.environ().get("DO_NOT_TRACK"), each.is_running()) == ("1", True)


@pytest.mark.parametrize(("page", "may"), [("https://elsewhere.example", False), ("{url}", True)])
def test_a_web_page_from_elsewhere_may_not_use_the_server(serving: Serving, page: str, may: bool):
    origin = page.format(url=serving.url)
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    try:
        with urlopen(
            Request(f"{serving.url}/api/flows/", None, headers, method="OPTIONS"), timeout=WAIT_SECONDS
        ) as answer:
            allowed = answer.headers.get("Access-Control-Allow-Origin")
    except HTTPError as error:
        allowed = error.headers.get("Access-Control-Allow-Origin")
    assert (allowed == origin) is may
    assert allowed in (origin, None)
