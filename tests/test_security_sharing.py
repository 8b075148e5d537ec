"""Who may be served: loopback needs no password, others do, and a stranger's server is not used."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.serve import serving_environment
from flows.sharing import (
    CLIENT_PASSWORD,
    SERVER_PASSWORD,
    address,
    check_sharing,
    is_healthy,
    is_ours,
)
from study.errors import InputError
from tests.command import STUDY
from tests.served import free_port
from tests.waiting import WAIT_SECONDS, wait_until

NOBODY = 65534
PASSWORD = "admin:correct horse"
IMPOSTOR = """
import encodings.idna, http.server, os, sys  # all it needs: that user may be unable to read Python's folder
os.setgroups([]), os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[2]))
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200), self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever()
"""


def serve(*arguments: object, home: Path) -> tuple[int, str, str]:
    """What the command says that is refused at once."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    done = subprocess.run(
        [STUDY, "serve", *map(str, arguments)],
        env=environment | {"PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def impostor() -> Iterator[int]:
    """The port of another user's server that says it is healthy."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user, who has taken the port before")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", IMPOSTOR, str(port), str(NOBODY)], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_healthy(f"http://127.0.0.1:{port}"))
        yield port
    finally:
        process.kill()
        process.wait()


def test_a_server_that_another_user_has_put_on_the_port_is_not_used(impostor: int, tmp_path: Path):
    code, _, err = serve("--port", impostor, home=tmp_path)
    assert code == 2
    assert not is_ours(impostor)
    assert f"the server that already runs on http://127.0.0.1:{impostor} is not this user's" in err


def test_a_port_at_which_a_process_of_this_user_listens_is_ours():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert is_ours(listening.getsockname()[1])
    assert not is_ours(free_port())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example", ""])
def test_an_address_that_others_reach_needs_a_password(host: str):
    message = rf"^--host: {host} can be reached from other machines, .* set {SERVER_PASSWORD}=\"admin:…\" for"
    with pytest.raises(InputError, match=message):
        check_sharing(host, {})
    check_sharing(host, {SERVER_PASSWORD: PASSWORD})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_password(host: str):
    check_sharing(host, {})


@pytest.mark.parametrize("password", ["", "admin", "admin:", ":secret"])
def test_a_password_that_is_none_is_refused_everywhere(password: str):
    with pytest.raises(InputError, match=f"^{SERVER_PASSWORD} must be a name, a colon and a password"):
        check_sharing("127.0.0.1", {SERVER_PASSWORD: password})


def test_serving_others_without_a_password_is_wrong_input(tmp_path: Path):
    code, out, err = serve("--host", "0.0.0.0", home=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("study: --host: 0.0.0.0 can be reached from other machines")
    assert f'{SERVER_PASSWORD}="admin:…" for the server and {CLIENT_PASSWORD}' in err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("fe80::1", "http://[fe80::1]:1"),
        ("host.example", "http://host.example:1"),
    ],
)
def test_this_machine_reaches_the_server_by_an_address_that_can_be_called(host: str, url: str):
    assert address(host, 1) == url


def test_what_the_user_has_set_is_kept_when_serving():
    chosen = {SERVER_PASSWORD: "a:b", CLIENT_PASSWORD: "c:d", "PREFECT_SERVER_ANALYTICS_ENABLED": "true"}
    assert serving_environment("http://127.0.0.1:1", chosen).items() >= chosen.items()
    assert serving_environment("http://127.0.0.1:1", {SERVER_PASSWORD: "a:b"})[CLIENT_PASSWORD] == "a:b"
    assert CLIENT_PASSWORD not in serving_environment("http://127.0.0.1:1", {})
