"""A real server on loopback that speaks S3 (moto's), in a process of its own that a test may kill.

Started as a program, with a port and an address to listen at, it prints its port and serves until standard
input ends.
"""

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

BUCKET = "results-of-tests"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    """A running server."""

    pid: int
    port: int


def serve() -> None:
    """Serve on a free port, with one bucket."""
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    import boto3
    from moto.moto_server import threaded_moto_server
    from moto.server import ThreadedMotoServer

    class OneAtATime(threaded_moto_server.DomainDispatcherApplication):
        """Answers one request at a time: moto lists a bucket while another thread adds to it, and fails."""

        answering = threading.Lock()

        def __call__(self, environ: Any, start_response: Any) -> Any:
            with self.answering:
                return super().__call__(environ, start_response)

    threaded_moto_server.DomainDispatcherApplication = OneAtATime
    address = sys.argv[2]
    server = ThreadedMotoServer(ip_address=address, port=int(sys.argv[1]), verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    boto3.client("s3", endpoint_url=f"http://{address}:{port}").create_bucket(Bucket=BUCKET)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


def credentials(port: int, address: str = LOOPBACK) -> dict[str, str]:
    """The environment by which s3fs and boto3 find the server, and nothing of this machine's."""
    return {
        "AWS_ENDPOINT_URL": f"http://{address}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    """Run the server while the body does."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.object_stores", str(port), LOOPBACK]
    environment = {**os.environ, **credentials(port)}
    environment.pop("PREFECT_HOME", None)  # by which tests look for what a run has left running
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            yield Server(process.pid, int(process.stdout.readline()))
        finally:
            process.kill()


def new_address() -> str:
    """An address at which nothing lies yet."""
    return f"s3://{BUCKET}/{secrets.token_hex(4)}/results"


if __name__ == "__main__":
    serve()
