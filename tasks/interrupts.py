"""Keep the terminal's Ctrl-C from processes that this one starts and stops itself."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block SIGINT for this thread, and for every thread and process it starts meanwhile.

    Ctrl-C reaches every process of the terminal at once. What dies of it by itself cannot be stopped in
    order: a server that is gone cannot be told how the run ended, and a worker prints a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
