"""Prefect's own temporary server, started while the rest is imported."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.interrupts import interrupts_blocked

if TYPE_CHECKING:
    from prefect.server.api.server import SubprocessASGIServer


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start the temporary server while the body runs, unless PREFECT_API_URL or the profile names one.

    Prefect stops it when this process ends. If it died of the terminal's Ctrl-C before, the flow would hang
    trying to tell it how the run ended.
    """
    from prefect.settings import get_current_settings

    if get_current_settings().api.url is not None:
        yield
        return
    # Imported before the body, not beside it: two imports in two threads take turns, and the server would
    # start only when both are done.
    from prefect.server.api.server import SubprocessASGIServer

    thread = threading.Thread(target=_start, args=(SubprocessASGIServer(),), name="start server", daemon=True)
    thread.start()
    yield
    thread.join()


def _start(server: "SubprocessASGIServer") -> None:
    with interrupts_blocked():
        server.start()
