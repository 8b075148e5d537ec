"""Prefect's pages, as serving sends them: whatever they want, a browser asks only their own address."""

import asyncio
from typing import Any

from flows.serving.pages import OWN_ORIGIN_ONLY, own_origin_only


def test_every_answer_has_the_policy_and_nothing_else_is_changed():
    messages = [
        {"type": "lifespan.startup.complete"},
        {"type": "websocket.accept", "headers": []},
        {"type": "http.response.start", "status": 200, "headers": [(b"etag", b"1")]},
        {"type": "http.response.body", "body": b"page"},
    ]
    sent: list[Any] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        for each in messages:
            await send(dict(each))

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(own_origin_only(application)({}, send, send))  # type: ignore[arg-type]
    policy = (b"content-security-policy", OWN_ORIGIN_ONLY.encode())
    assert sent[2]["headers"] == [(b"etag", b"1"), policy]
    assert [*sent[:2], sent[3]] == [*messages[:2], messages[3]]
    assert "http" not in OWN_ORIGIN_ONLY
