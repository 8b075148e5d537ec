"""The address of a Dask scheduler, as it is given."""

import re

from study.errors import InputError

PORT = 8786
"""Dask's own default."""

SCHEDULER_PATTERN = r"^((tcp|tls)://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?$"


def read_scheduler(text: str) -> str:
    """An address as Dask takes it: protocol, host and port.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(SCHEDULER_PATTERN, text)
    if match is None or not 0 < int((match[4] or f":{PORT}")[1:]) < 65_536:
        raise InputError(
            f"--scheduler: {text!r} is not an address; give one such as tls://host:{PORT} or tcp://host:{PORT}"
        )
    return f"{match[1] or 'tcp://'}{match[3]}{match[4] or f':{PORT}'}"


def split_address(scheduler: str) -> tuple[str, int]:
    """Host and port of an address that was read."""
    host, _, port = scheduler.partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)
