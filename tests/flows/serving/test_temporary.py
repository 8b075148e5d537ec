"""The temporary server, and one that is named instead: it is asked before a run begins."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.serving import temporary
from flows.serving.temporary import check_server, last_words
from study.errors import InputError
from tests.command import environment_of_commands, run_study
from tests.night_server import run_program

IMPORTED = """
import sys
from flows.serving.temporary import temporary_server
with temporary_server():
    import flows.run_study
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    print(client.count_flow_runs())
heavy = ("prefect.server", "matplotlib", "scipy.stats", "tensorflow", "keras")
print(sorted(name for name in sys.modules if name in heavy))
"""
STARTED = """
import psutil
from flows.serving.temporary import temporary_server
from study.errors import InputError
try:
    with temporary_server():
        import prefect
except InputError as error:
    print(error, psutil.Process().children())
"""
PROFILE = """
active = "ours"
[profiles.ours]
PREFECT_API_URL = "http://127.0.0.1:9/api"
"""


@pytest.mark.slow
def test_before_the_first_training_a_flow_imports_no_server_and_nothing_that_draws_or_trains(tmp_path: Path):
    done = run_program(IMPORTED, tmp_path)
    assert done.stdout == "0\n[]\n", done.stderr


@pytest.mark.slow
def test_where_the_profile_names_a_server_none_is_started_and_it_is_asked(tmp_path: Path):
    (tmp_path / "profiles.toml").write_text(PROFILE)
    done = run_program(STARTED, tmp_path)
    named = f"http://127.0.0.1:9/api (profile 'ours' in {tmp_path}/profiles.toml)"
    refused = f"Prefect's server {named} cannot be used: [Errno 111] Connection refused; {START}"
    assert done.stdout == f"{refused} []\n", done.stderr


@pytest.mark.slow
def test_why_a_server_of_ours_does_not_start_is_passed_on(tmp_path: Path):
    (tmp_path / "prefect.db").write_text("no database" * 99)
    done = run_program(STARTED, tmp_path)
    assert done.stdout.startswith(f"Prefect's database {tmp_path}/prefect.db (PREFECT_HOME) cannot be read: ")


def test_the_last_words_of_a_server_are_those_of_its_error():
    said = """Traceback (most recent call last):
  File "core.py", line 160, in _execute
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database or disk is full
(Background on this error at: https://sqlalche.me/e/20/e3q8)

22:14:48.363 | ERROR   | uvicorn.error - Application startup failed. Exiting.
"""
    error = "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database or disk is full"
    assert [last_words(each) for each in (said, "one\ntwo\n", "")] == [error, "two", ""]


class Foreign(ThreadingHTTPServer):
    """A server that is none of Prefect's: it answers with a status and a page, or with silence."""

    status = 0
    stopped = threading.Event()


class Answer(BaseHTTPRequestHandler):
    server: Foreign

    def do_GET(self) -> None:
        if self.server.status == 0:
            self.server.stopped.wait()
            return
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    with Foreign(("127.0.0.1", 0), Answer) as server:
        server.stopped.clear()
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.stopped.set()
        server.shutdown()


START = "start it, or unset that for a server of this program's own"
SIGN_IN = "set PREFECT_API_AUTH_STRING to its name:password, or PREFECT_API_KEY in Prefect Cloud"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, f"401 Unauthorized; {SIGN_IN}"),
        (403, f"403 Forbidden; {SIGN_IN}"),
        (200, f"what answers there is no Prefect server; {START}"),
        (0, f"timed out; {START}"),
    ],
)
def test_a_named_server_that_cannot_be_used_is_named_with_the_reason(
    foreign: Foreign, status: int, reason: str, monkeypatch: pytest.MonkeyPatch
):
    foreign.status, url = status, f"http://127.0.0.1:{foreign.server_port}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    monkeypatch.setattr(temporary, "_ANSWER_SECONDS", 0.2)
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(InputError) as refused:
        check_server()
    assert str(refused.value) == f"Prefect's server {url} (PREFECT_API_URL) cannot be used: {reason}"


def test_a_run_whose_server_does_not_answer_never_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(environment_of_commands, "PREFECT_API_URL", "http://127.0.0.1:9/api")
    code, _, err = run_study("smoke", "--results", tmp_path / "results")
    assert code == 2
    assert err.splitlines()[1:] == [
        "study: Prefect's server http://127.0.0.1:9/api (PREFECT_API_URL) cannot be used: "
        f"[Errno 111] Connection refused; {START}"
    ]
    assert not list((tmp_path / "results").glob("runs/*"))
