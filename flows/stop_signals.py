"""See to it that Ctrl-C and SIGTERM end a command, wherever in Python they arrive."""

import signal
import sys
import threading
from typing import NoReturn

RESEND_SECONDS = 0.05
"""Until a lost interrupt is sent again: the place that lost it has then been left, or loses it once more."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: as Ctrl-C, but from another program."""


def terminate_in_order() -> None:
    """Let SIGTERM raise `Terminated` in the main thread, as Ctrl-C raises KeyboardInterrupt."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def resend_lost_interrupts() -> None:
    """Send an interrupt again whose exception Python could not pass on.

    A signal's handler runs between any two instructions of the main thread. Where these are a finaliser's or
    a weak reference's (every `import` has one), Python reports the exception to `sys.unraisablehook` and goes
    on as if nothing had been asked.
    """
    before = sys.unraisablehook

    def hook(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
            return
        number = signal.SIGTERM if issubclass(lost.exc_type, Terminated) else signal.SIGINT
        # Later, from another thread: what is raised within this hook is lost, too. To this one: it may wait.
        again = threading.Timer(RESEND_SECONDS, signal.pthread_kill, [threading.get_ident(), number])
        again.daemon = True
        again.start()

    sys.unraisablehook = hook


def _raise_terminated(_number: int, _frame: object) -> NoReturn:
    raise Terminated
