"""The live socket of a session: ``/ws/sessions/<id>/?after=<seq>``.

Each text frame is a JSON array. Events are ``{"seq", "kind", "html", "at"}``; control objects are
``{"kind": "hello", "head", "status"}`` first and ``{"kind": "hb", "head", "status"}`` every few seconds and whenever
the status changes. Close codes: 4401 not signed in, 4403 no longer allowed or too many sockets, 4404 no such session,
4408 too slow (connect again from the last seq).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, get_user_model
from django.db import DatabaseError, close_old_connections

from sessions_app.models import Session
from sessions_app.stream import PAGE, Head, Line, hub

SIGNED_OUT, FORBIDDEN, MISSING, SLOW, TOO_BIG, FAULT = 4401, 4403, 4404, 4408, 1009, 1011
RETRY_SECONDS = 0.5
log = logging.getLogger("codeflash.stream")


class SessionConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket: reads the table up to now, then what the hub hands over, and never sends an event twice."""

    async def connect(self) -> None:
        await self.accept()  # a close code only reaches the page after the handshake
        self.last = _after(self.scope)
        self.subscriber = None
        self.pump: asyncio.Task[None] | None = None
        self.counted, self.told = False, ""
        session_id = int(self.scope["url_route"]["kwargs"]["pk"])
        refusal = await self._refusal(session_id)
        if refusal:
            await self.close(code=refusal)
            return
        self.subscriber = hub.subscribe(session_id)
        self.pump = asyncio.create_task(self._run_aloud())

    async def disconnect(self, code: int) -> None:
        if self.pump is not None and self.pump is not asyncio.current_task():
            self.pump.cancel()
        self._let_go()
        if self.counted:
            hub.leave(self.scope["user"].pk)
            self.counted = False

    def _let_go(self) -> None:
        """Nothing is kept for a socket we no longer send to, also while its connection is still being torn down."""
        if self.subscriber is not None:
            hub.unsubscribe(self.subscriber)
            self.subscriber = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Pages have nothing to say here; a large message is not for us."""
        if len(text_data or bytes_data or "") > settings.LIMITS.SOCKET_FRAME_BYTES:
            await self.close(code=TOO_BIG)

    async def _refusal(self, session_id: int) -> int:
        """A close code, or 0 when this person may watch."""
        user = self.scope["user"]
        if not user.is_authenticated:
            return SIGNED_OUT
        if not await sync_to_async(_may_watch)(user.pk, session_id):
            return MISSING
        self.counted = hub.enter(user.pk)
        return 0 if self.counted else FORBIDDEN

    async def _run_aloud(self) -> None:
        """A fault must end the socket, so that its page connects again: a silent one would only look alive."""
        try:
            await self._run()
        except Exception:
            if self.subscriber is None:
                return  # it hung up while we were sending
            log.exception("a socket of session %s failed", self.scope["url_route"]["kwargs"]["pk"])
            with contextlib.suppress(Exception):
                await self.close(code=FAULT)
        finally:
            self._let_go()

    async def _run(self) -> None:
        """Until the socket closes: send what there is, beat when it is time, look again whether we may."""
        beat = recheck = time.monotonic()
        hello = True
        while True:
            try:
                items, head = await self._next()
            except DatabaseError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            now = time.monotonic()
            if now - recheck >= settings.LIMITS.SOCKET_RECHECK_SECONDS:
                recheck = now
                if refusal := await self._gone():
                    await self.close(code=refusal)
                    return
            if hello or now >= beat or head.status != self.told:
                kind = "hello" if hello else "hb"
                items.insert(0, json.dumps({"kind": kind, "head": head.seq, "status": head.status}))
                hello, beat, self.told = False, now + settings.LIMITS.HEARTBEAT_SECONDS, head.status
            if items and not await self._sent(items):
                return
            await self._rest(beat)

    async def _next(self) -> tuple[list[str], Head]:
        """Objects to send after ``last``, from what waits or from the table, and where the session stands."""
        subscriber = self.subscriber
        assert subscriber is not None
        subscriber.wake.clear()
        lines = subscriber.take(self.last)
        head = subscriber.head
        if lines is None:
            subscriber.keep()
            lines, head = await hub.read(subscriber.session_id, self.last)
            if len(lines) >= PAGE:
                subscriber.wake.set()  # there is more to read
        self._remember(lines, head)
        return [line.text for line in lines], head

    def _remember(self, lines: list[Line], head: Head) -> None:
        assert self.subscriber is not None
        if lines:
            self.last = lines[-1].seq
        elif not self.told:
            # A page that claims to have more than there is (a restored database) starts from what there is.
            self.last = min(self.last, head.seq)
        if head.seq > self.subscriber.head.seq or not self.subscriber.head.status:
            self.subscriber.head = head

    async def _sent(self, items: list[str]) -> bool:
        """Send one frame; a socket that does not take it in time is closed so that its page comes back for the rest."""
        frame = f"[{','.join(items)}]"
        try:
            await asyncio.wait_for(self.send(text_data=frame), settings.LIMITS.SOCKET_SEND_SECONDS)
        except TimeoutError:
            await self.close(code=SLOW)
            return False
        except Exception:
            # Each server has its own word for "the other side has gone"; there is nobody left to tell.
            return False
        return True

    async def _rest(self, beat: float) -> None:
        """Wait for the hub's word or the next beat."""
        assert self.subscriber is not None
        left = max(0.0, beat - time.monotonic())
        try:
            await asyncio.wait_for(self.subscriber.wake.wait(), left)
        except TimeoutError:
            return

    async def _gone(self) -> int:
        """A close code when the person signed out or may no longer see the session."""
        user_id, key = self.scope["user"].pk, self.scope["session"].session_key
        assert self.subscriber is not None
        if not await sync_to_async(_signed_in)(user_id, key):
            return SIGNED_OUT
        allowed = await sync_to_async(_may_watch)(user_id, self.subscriber.session_id)
        return 0 if allowed else FORBIDDEN


def _after(scope: dict[str, Any]) -> int:
    """The last number the page has; anything that is not a whole number is the beginning."""
    words = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("after", ["0"])[0]
    return int(words) if words.isdigit() and len(words) < 12 else 0


def _may_watch(user_id: int, session_id: int) -> bool:
    close_old_connections()
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    return user is not None and Session.objects.visible_to(user).filter(pk=session_id).exists()


def _signed_in(user_id: int, key: str | None) -> bool:
    """Whether the browser's sign-in still stands: the cookie's row exists and is this person's."""
    close_old_connections()
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return BACKEND_SESSION_KEY in store and str(store.get(SESSION_KEY)) == str(user_id)
