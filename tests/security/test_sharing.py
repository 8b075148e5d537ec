"""Who may be served: loopback needs no password, others do, and what another program serves is not used."""

import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from flows.serving.serve import Log, Part, PartFailed, check_port, serving_environment, wait_for_server
from flows.serving.temporary import CLIENT_PASSWORD, SERVER_PASSWORD, address, check_sharing, is_healthy
from study.errors import InputError
from tests.command import study

PASSWORD = "admin:correct horse"


class Impostor(BaseHTTPRequestHandler):
    """Says that it is a healthy Prefect server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_port_that_is_taken_is_refused_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = study("serve", "--port", port)
    message = (
        f"study: the server cannot listen on 127.0.0.1, port {port}: Address already in use; stop what "
        "listens there, such as another `study serve`, or give another --port or --host\n"
    )
    assert ended == (2, "", message)


def test_serving_others_without_a_password_is_wrong_input():
    code, out, err = study("serve", "--host", "0.0.0.0")
    assert (code, out) == (2, "")
    assert err.startswith("study: --host: 0.0.0.0 can be reached from other machines")
    assert f'{SERVER_PASSWORD}="admin:…" for the server and {CLIENT_PASSWORD}' in err


def test_an_address_that_is_not_this_machines_is_refused():
    with pytest.raises(InputError, match=r"^the server cannot listen on 192\.0\.2\.1, port 4200: "):
        check_port("192.0.2.1", 4200)


def test_a_healthy_server_of_another_process_on_the_port_is_not_used():
    # As another user's may be, who has taken the port after we looked; its healthy answer does not count.
    with ThreadingHTTPServer(("127.0.0.1", 0), Impostor) as impostor:
        Thread(target=impostor.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{impostor.server_port}"
        assert is_healthy(url)
        ours = Part("the server", subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
        with pytest.raises(PartFailed, match=r"^the server ended \(exit code 3\)"):
            wait_for_server(url, impostor.server_port, ours)
        impostor.shutdown()


def test_what_a_server_says_as_it_ends_is_in_the_message_and_in_its_log(tmp_path: Path):
    says = "for each in range(99): print('line', each)"
    log = Log(tmp_path / "server.log")
    server = Part("the server", subprocess.Popen([sys.executable, "-c", says], stdout=subprocess.PIPE), log)
    assert server.process.stdout is not None
    with server.process:
        log.keep(server.process.stdout)
    with pytest.raises(PartFailed) as caught:
        server.check(is_starting=True)
    message, *said = str(caught.value).splitlines()
    assert said == log.path.read_text().splitlines()[-10:] == [f"line {each}" for each in range(89, 99)]
    assert message.startswith("the server ended (exit code 0), so everything was stopped; its log is in ")
    assert f" {log.path}; " in message


def test_the_pages_ask_the_address_at_which_the_browser_found_them():
    environment = serving_environment("http://127.0.0.1:1", {})
    assert environment["PREFECT_UI_API_URL"] == "/api"
    assert environment["PREFECT_SERVER_UI_V2_ENABLED"] == "false"


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
