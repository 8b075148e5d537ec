"""Prefect's own temporary server, started early and kept from the terminal's Ctrl-C.

Ctrl-C reaches every process of the terminal. If the server dies of it, the flow hangs trying to tell it how
the run ended; so the server is started with SIGINT blocked, and Prefect stops it when this process ends.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start the temporary server while the body runs, unless PREFECT_API_URL or the profile names one."""
    thread = threading.Thread(target=_start, name="start temporary server", daemon=True)
    thread.start()
    yield
    thread.join()


def _start() -> None:
    # The mask is this thread's alone, and the server process inherits it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    from prefect.settings import get_current_settings

    if get_current_settings().api.url is None:
        from prefect.server.api.server import SubprocessASGIServer

        SubprocessASGIServer().start()
