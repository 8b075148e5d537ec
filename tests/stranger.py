"""A stranger to the lanes, in a process of its own: knows their ports, not their credentials.

    python -m tests.stranger UID FOLDER PORT...

becomes the user UID (unless it is -1), tries every port in every way, and prints what it got; FOLDER is made
if anything can be run.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable

from distributed import Client, Scheduler, Security
from distributed.core import rpc

WAYS = {"tcp": None, "tls": Security.temporary()}
SECONDS, PATIENT_SECONDS = 1, 20


def become(user: int) -> None:
    """Give up everything root can do."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


async def attempt(port: int, folder: str, seconds: float) -> dict[str, str]:
    """What a scheduler, nanny or lane on a port says, and whether it runs something, in every way."""
    attempts = {}
    for scheme, security in WAYS.items():
        address = f"{scheme}://127.0.0.1:{port}"
        attempts[f"{address} identity"] = _identify(address, security, seconds)
        attempts[f"{address} client"] = _run(address, security, folder, seconds)
    said = await asyncio.gather(*(_say(each, 2 * seconds) for each in attempts.values()))
    return dict(zip(attempts, said, strict=True))


async def _identify(address: str, security: Security | None, seconds: float) -> str:
    connection = security.get_connection_args("client") if security else {}
    async with rpc(address, timeout=seconds, connection_args=connection) as there:
        return str((await there.identity())["type"])


async def _run(address: str, security: Security | None, folder: str, seconds: float) -> str:
    async with Client(
        address, security=security, timeout=seconds, asynchronous=True, set_as_default=False
    ) as client:
        await client.run_on_scheduler(os.mkdir, folder)
        return "ran"


async def _say(attempted: Awaitable[str], seconds: float) -> str:
    try:
        return await asyncio.wait_for(attempted, seconds)
    except Exception as error:
        return f"refused: {type(error).__name__}"


async def attempt_all(ports: list[int], folder: str) -> dict[str, dict[str, str]]:
    """Attempts on the ports, and for comparison on a scheduler of our own that anyone may use."""
    options = {"host": "127.0.0.1", "protocol": "tcp", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    async with Scheduler(**options) as unprotected:
        own = f"tcp://127.0.0.1:{unprotected.port}"
        comparison = {
            "identity": await _say(_identify(own, None, PATIENT_SECONDS), PATIENT_SECONDS),
            "client": await _say(_run(own, None, f"{folder}-own", PATIENT_SECONDS), PATIENT_SECONDS),
        }
    found = await asyncio.gather(*(attempt(port, folder, SECONDS) for port in ports))
    return {"comparison": comparison, "lanes": {key: value for each in found for key, value in each.items()}}


if __name__ == "__main__":
    user, folder, *ports = sys.argv[1:]
    if int(user) >= 0:
        become(int(user))
    sys.stdout.write(json.dumps(asyncio.run(attempt_all([int(port) for port in ports], folder))))
