"""The little HTTP that a raw ASGI application needs: read a bounded body, answer whole, refuse in one fixed form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Fields = Iterable[tuple[str, str]]

REFUSAL_STATUSES: Final = (400, 401, 403, 404, 405, 413, 431, 503)
_REFUSAL_BODIES: Final = {status: f'{{"status":{status}}}'.encode() for status in REFUSAL_STATUSES}


async def read_body(receive: Receive, limit_bytes: int) -> bytes | int | None:
    """The whole body; 413 when it exceeds `limit_bytes`; None when the peer left before its end."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None  # a cut body arrives as a part, then this
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            return 413
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def answer(send: Send, status: int, fields: Fields, body: bytes) -> None:
    """Send one whole answer. `fields` must hold its content-length."""
    headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def refuse(send: Send, status: int) -> None:
    """The fixed, unsigned refusal: nothing in it depends on the message. The connection ends."""
    body = _REFUSAL_BODIES[status]
    fields = (("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close"))
    await answer(send, status, fields, body)


def fixed_refusal(status: int) -> bytes:
    """The same refusal as bytes, for a connection whose request never reached the application."""
    body = _REFUSAL_BODIES[status]
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode("ascii") + body
