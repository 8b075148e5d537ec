"""Prefect's own temporary server: started while the rest is imported, kept running, ended with the run."""

import logging
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import prefect
from prefect.context import refresh_global_settings_context
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import get_current_settings

from flows.tether import start_tethered

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class TemporaryServer(SubprocessASGIServer):
    """Prefect's temporary server, which does not outlive this process and is started anew if it dies.

    Prefect's own is left running where the flow is killed, and not replaced when it dies itself: the flow
    would then fail at its end, when it tells the server how it ended.
    """

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port)
        self._is_wanted = True
        self.answered = threading.Event()

    def keep(self) -> None:
        """Start it, then look after it until it is stopped."""
        try:
            self.start()
        finally:
            self.answered.set()
        while self._is_wanted:
            process = self.server_process
            if process is not None and process.poll() is not None and self._is_wanted:
                logger.warning(
                    "Prefect's temporary server ended (exit code %s) and is started anew", process.returncode
                )
                self.server_process = self._run_uvicorn_command()
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """Stop it."""
        self._is_wanted = False
        super().stop()

    def _run_uvicorn_command(self) -> "subprocess.Popen[bytes]":
        # As Prefect's, but tethered; the variables turn off its UI and mark it as temporary.
        arguments = ["uvicorn", "--app-dir", str(prefect.__module_path__.parent), "--factory"]
        arguments += ["prefect.server.api.server:create_app", "--host", "127.0.0.1", "--port", str(self.port)]
        return start_tethered(
            [*arguments, "--log-level", "error", "--lifespan", "on"],
            {
                **os.environ,
                "PREFECT_UI_ENABLED": "0",
                "PREFECT__SERVER_EPHEMERAL": "1",
                "PREFECT__SERVER_FINAL": "1",
                **get_current_settings().to_environment_variables(exclude_unset=True),
            },
        )


def _ask_for_password() -> None:
    """Let only this process and its children use the server: every user of the machine reaches loopback."""
    password = f"study:{secrets.token_urlsafe(32)}"  # in the environment, which other users cannot read
    os.environ |= {"PREFECT_SERVER_API_AUTH_STRING": password, "PREFECT_API_AUTH_STRING": password}
    refresh_global_settings_context()


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start the temporary server while the body runs, unless PREFECT_API_URL or the profile names one.

    Prefect stops it when this process ends.
    """
    if get_current_settings().api.url is not None:
        yield
        return
    _ask_for_password()
    server = TemporaryServer()  # Prefect has one a process, and finds it when it looks for its own
    threading.Thread(target=server.keep, name="temporary server", daemon=True).start()
    yield
    server.answered.wait()
