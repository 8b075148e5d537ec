"""Orphans of a process tree come to this process; all that is left of the tree is ended, by process id."""

import ctypes
import os
import signal
import time
from contextlib import suppress

import psutil

PARTING_SECONDS = 5.0
"""How long what outlives its command may take to end by itself, and again after SIGTERM."""

_SET_CHILD_SUBREAPER, _SET_PARENT_DEATH_SIGNAL = 36, 1  # linux/prctl.h


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process, and be ended when its own parent is gone.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or libc.prctl(
        _SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0
    ):
        raise OSError(ctypes.get_errno(), "prctl failed")


def end_tree(parting_seconds: float) -> list[str]:
    """Wait for what is left of the tree, then end it, by process id; return the names of what was ended."""
    if _are_gone_within(parting_seconds):
        return []
    left = psutil.Process().children(recursive=True)
    names = sorted(_name(process) for process in left)
    _signal_all(signal.SIGTERM)
    if not _are_gone_within(PARTING_SECONDS):
        while not _are_gone_within(0.1):  # what is killed may leave children, which come here
            _signal_all(signal.SIGKILL)
    return names


def _are_gone_within(seconds: float) -> bool:
    """Reap every child of this process that ends; whether none is left after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)


def _signal_all(number: signal.Signals) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.send_signal(number)  # psutil makes sure that the id still is this process's


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return "ended meanwhile"
