"""Two small ASGI wrappers: no body over the limit is ever taken in, and no other page may open a socket here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TooLarge(Exception):
    """More body arrived than the limit allows."""


class BodyLimit:
    """Answers 413 by Content-Length before a byte is read, and by count while reading. ``limit`` is bytes.

    The server would otherwise take the whole body in before any view or middleware is asked.
    """

    def __init__(self, app: App, *, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._declared(scope) > self.limit:
            await self._refuse(send)
        else:
            await self._count(scope, receive, send)

    def _declared(self, scope: Scope) -> int:
        words = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"0")
        return int(words) if words.isdigit() else 0

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken, started = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise TooLarge
            return message

        async def noticed(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, noticed)
        except TooLarge:
            if not started:
                await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        words = f"A request may carry at most {self.limit} bytes (BODY_BYTES).\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        headers.append((b"content-length", str(len(words)).encode()))
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": words})


class SameOrigin:
    """Lets a socket through only from a page of this very address, scheme and port included, or a trusted origin."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if _is_ours(headers.get(b"origin", ""), headers.get(b"host", ""), scope.get("scheme", "ws")):
            await self.app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})


def _is_ours(origin: str, host: str, scheme: str) -> bool:
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    page = "https" if settings.PUBLIC or scheme == "wss" else "http"
    given = urlsplit(origin)
    same = (given.scheme, given.netloc.lower()) == (page, host.lower())
    return same or origin in settings.CSRF_TRUSTED_ORIGINS


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
