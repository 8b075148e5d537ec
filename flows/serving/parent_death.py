"""Run a Python module as a program that ends when the process that started it dies, even by SIGKILL.

`start_program` starts it as `python -P flows/serving/parent_death.py MODULE ARGUMENT...` in a session of its
own, and with a pipe as standard input: when its other end is closed, the program ends all it has started, and
itself.
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


def start_program(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> "subprocess.Popen[bytes]":
    """Start a Python module as a program that ends with this process.

    Its own session keeps the terminal's Ctrl-C from it: the caller stops it with `stop_program`.

    Args:
        arguments: The module's name and its arguments.
        environment: Its environment.
        folder: Its working folder.
    """
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.PIPE, start_new_session=True
    )


def stop_program(process: "subprocess.Popen[bytes]") -> None:
    """Stop a program by SIGTERM, and by SIGKILL if it has not ended in time."""
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
    threading.Thread(target=_end_with_parent, name="parent death", daemon=True).start()
    # Prefect's worker stops by SIGINT, and would ignore it where a script started all this in its background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    pipe = os.dup(0)  # whatever becomes of standard input
    while os.read(pipe, 1024):
        pass
    import psutil  # late: it is needed once, at the end

    # Each process by its id, as some have sessions of their own; this one last, as its end ends this thread.
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
