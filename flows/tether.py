"""Run a Python module as a program that ends when the process that started it does, however that ended.

Started as `python -P flows/tether.py MODULE ARGUMENT...` with a pipe as standard input and in a session of
its own (`start_tethered` does): when the last holder of the pipe's other end is gone, even by SIGKILL, this
program and everything it has started are ended.
"""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""


def start_tethered(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> "subprocess.Popen[bytes]":
    """Start a Python module that ends with this process.

    It has a session of its own, so that the terminal's Ctrl-C does not reach it: who started it stops it, in
    order.

    Args:
        arguments: The module's name and its arguments.
        environment: Its environment.
        folder: Its working folder.
    """
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.PIPE, start_new_session=True
    )


def stop_tethered(process: "subprocess.Popen[bytes]") -> None:
    """End a tethered program in order, or else at once."""
    process.terminate()
    try:
        process.wait(timeout=3 * GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def main() -> None:
    """Run the module named by the arguments."""
    threading.Thread(target=_end_with_starter, name="tether", daemon=True).start()
    # Prefect's worker stops by it, and would ignore it where a script started all this in its background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_starter() -> None:
    pipe = os.dup(0)  # whatever becomes of standard input
    while os.read(pipe, 1024):
        pass
    import psutil  # late: it is needed once, at the end

    # All of them, as some have sessions of their own; this one last, as its end ends this thread.
    family = [*psutil.Process().children(recursive=True), psutil.Process()]
    for process in family[:-1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(family[:-1], timeout=GRACE_SECONDS)
    for process in (*alive, family[-1]):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    main()
