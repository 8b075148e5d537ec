"""A Dask scheduler and lane hosts on loopback, in processes of their own that a test may kill."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.served import free_port
from tests.waiting import WAIT_SECONDS, wait_until

CODE = Path(__file__).parent.parent
SCHEDULER = (sys.executable, "-m", "distributed.cli.dask_scheduler")
PROGRAM = (sys.executable, "-P", "-c", "from flows.cli.main import main; main()")
LANE = (*PROGRAM, "lane")


class LaneHost:
    """A running `study lane`, and what it has said."""

    def __init__(self, address: str, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*LANE, address, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(CODE), **(environment or {})}, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has said something so many times."""
        wait_until(lambda: sum(text in line for line in self.lines) >= times, lambda: self.lines)

    def kill(self) -> None:
        """Kill it and its lanes at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_SECONDS)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as said:
            for line in said:
                self.lines.append(line.rstrip())


@contextmanager
def scheduler(port: int | None = None) -> Iterator[str]:
    """Run a scheduler while the body does; its address."""
    port = port or free_port()
    command = [*SCHEDULER, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stderr is not None
            while "Scheduler at:" not in (line := process.stderr.readline()):
                assert line, "the scheduler has ended"
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield f"tcp://127.0.0.1:{port}"
        finally:
            process.kill()


@contextmanager
def lane_host(
    address: str, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[LaneHost]:
    """Run lanes while the body does."""
    host = LaneHost(address, *options, environment=environment)
    try:
        yield host
    finally:
        host.stop()
