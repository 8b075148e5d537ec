"""Prefect's server as `study serve` runs it: its pages ask nothing of any other address.

Prefect's pages contain addresses of others: of a tracker, which the newer UI asks on every page even if
server analytics are off, and of a store of scripts, for the page on the API.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_ORIGIN_ONLY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
"""A content security policy: a browser asks only the address of the page, for whatever the page wants."""


def own_origin_only(application: ASGIApp) -> ASGIApp:
    """Return an application that adds the policy to every answer."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = OWN_ORIGIN_ONLY
            await send(message)

        await application(scope, receive, send_with_policy)

    return answer


def create() -> ASGIApp:
    """Make the application for uvicorn, with the services of a lasting server."""
    from prefect.server.api.server import create_app  # late: tests read only the policy

    return own_origin_only(create_app(final=True))
