"""Who reaches a server: its address, its password, and whether it answers."""

from collections.abc import Mapping
from http.client import HTTPException
from ipaddress import ip_address
from urllib.error import URLError
from urllib.request import urlopen

from study.errors import InputError

NO_TELEMETRY = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
"""Prefect's server and its pages report no use by the first, its client none by the second."""


LOOPBACK = "127.0.0.1"
SERVER_PASSWORD, CLIENT_PASSWORD = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Prefect's own settings for basic authentication: what the server asks for, and what clients send."""


def check_sharing(host: str, environment: Mapping[str, str]) -> None:
    """Refuse an address that other machines reach, unless the server asks for a name and a password.

    Raises:
        InputError: it asks for none, or for something that is no name with a password.
    """
    name, _, password = environment.get(SERVER_PASSWORD, "").partition(":")
    if SERVER_PASSWORD in environment and not (name and password):
        raise InputError(f'{SERVER_PASSWORD} must be a name, a colon and a password, such as "admin:…"')
    if not password and not _is_loopback(host):
        raise InputError(
            f"--host: {host} can be reached from other machines, and whoever reaches the server can run "
            f'anything as you; set {SERVER_PASSWORD}="admin:…" for the server and {CLIENT_PASSWORD} to the '
            f"same for its clients, or leave --host out for {LOOPBACK}"
        )


def address(host: str, port: int) -> str:
    """Where this machine reaches a server that listens on a host."""
    if host in ("0.0.0.0", "::"):
        host = LOOPBACK if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers there; it answers this without a password."""
    try:
        with urlopen(f"{url}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError, HTTPException):
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
