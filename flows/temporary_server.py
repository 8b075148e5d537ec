"""Prefect's own temporary server, started while the rest is imported."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.interrupts import interrupts_blocked


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start the temporary server while the body runs, unless PREFECT_API_URL or the profile names one.

    Prefect stops it when this process ends. If it died of the terminal's Ctrl-C before, the flow would hang
    trying to tell it how the run ended.
    """
    thread = threading.Thread(target=_start, name="start temporary server", daemon=True)
    thread.start()
    yield
    thread.join()


def _start() -> None:
    from prefect.settings import get_current_settings

    if get_current_settings().api.url is None:
        from prefect.server.api.server import SubprocessASGIServer

        with interrupts_blocked():
            SubprocessASGIServer().start()
