"""The web process reaps too: sessions of dead workers come to their end while no worker is left to do it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from sessions_app import queue

log = logging.getLogger("codeflash.reaping")
App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class Reaping:
    """ASGI wrapper: from the server's start to its end, a thread looks for lost sessions every ``REAP_SECONDS``."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        over = threading.Event()
        threading.Thread(target=_reap_until, args=(over,), name="reaping", daemon=True).start()
        try:
            await self.app(scope, receive, send)
        finally:
            over.set()


def _reap_until(over: threading.Event) -> None:
    """A database that is away only delays it."""
    pause = 0.0
    while not over.wait(pause):
        pause = settings.LIMITS.REAP_SECONDS
        try:
            for pk in queue.reap():
                log.warning("session %s lost its worker and is now interrupted", pk)
        except DatabaseError as error:
            log.warning("lost sessions were not looked for, the database is away: %s", error)
            with contextlib.suppress(DatabaseError):
                connection.close()
    connection.close()
