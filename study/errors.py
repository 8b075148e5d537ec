"""Errors that trying again would only repeat: a person can mend bad input; the rest is conclusive."""

import errno


class InputError(ValueError):
    """Bad input: the message says what was wrong, the value, what is allowed and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """


class Conclusive(RuntimeError):
    """What failed would fail again the same way: it is not tried again, and its lane is sound."""


class ResultsUnwritable(InputError):
    """The results folder takes nothing more: the disk is full or read-only; the run cannot go on."""


class LanesLost(RuntimeError):
    """Every lane is gone and none came back in time: the run cannot go on."""


class StoreUnreachable(OSError):
    """An object store did not answer, or refused, until patience ran out."""

    def __init__(self, path: object, reason: BaseException) -> None:
        super().__init__(errno.EIO, str(reason) or type(reason).__name__, str(path))
