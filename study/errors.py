"""Errors that a retry would only repeat: a person can correct bad input; the rest is conclusive."""

import errno


class InputError(ValueError):
    """Bad input: the message says what was wrong, the value, what is allowed and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """


class Conclusive(RuntimeError):
    """A failure that a retry would repeat: no retry is made, and the lane is sound."""


class ResultsUnwritable(InputError):
    """The results folder accepts no more writes: the disk is full or read-only; the run cannot continue."""


class LanesLost(RuntimeError):
    """The run cannot continue: every lane is gone and none came back in time, or new ones have other code."""


class StoreUnreachable(OSError):
    """An object store did not answer, or refused, until patience ran out."""

    def __init__(self, path: object, reason: BaseException) -> None:
        super().__init__(errno.EIO, str(reason) or type(reason).__name__, str(path))
