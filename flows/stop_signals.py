"""Let SIGTERM end a command in order, as Ctrl-C does."""

import signal
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM: as Ctrl-C, but from another program."""


def terminate_in_order() -> None:
    """Let SIGTERM raise `Terminated` in the main thread, as Ctrl-C raises KeyboardInterrupt."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(_number: int, _frame: object) -> NoReturn:
    raise Terminated
