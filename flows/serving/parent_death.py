"""Run a Python module as a program that ends when the process that started it dies, even by SIGKILL.

`start_program` starts it as `python -P flows/serving/parent_death.py MODULE ARGUMENT...` in a session of its
own, with a pipe as standard input. When the other end is closed, the program ends its children and itself.
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
from typing import IO

GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""


def start_program(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
    output: IO[bytes] | int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a Python module as a program that ends with this process.

    `output` is where it prints: a file, or such as `subprocess.PIPE`; None for where this process does.
    Ctrl-C of the terminal does not reach its own session: the caller stops it with `stop_program`.
    """
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
    )


def stop_program(process: "subprocess.Popen[bytes]") -> None:
    """Stop a program by SIGTERM, and by SIGKILL if it does not end in time."""
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
    # SIGINT stops Prefect's worker, but the worker would ignore it if a script started us in its background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in (signal.SIGUSR1, signal.SIGUSR2):  # Slurm sends them to all of a job: our parent ends us
        signal.signal(each, signal.SIG_IGN)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    pipe = os.dup(0)  # a copy: the module may close standard input
    while os.read(pipe, 1024):
        pass
    import psutil  # late: only the end needs it

    # Each process by its id: some have sessions of their own. This one last: its end ends this thread.
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
