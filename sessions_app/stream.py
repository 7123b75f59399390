"""The hub: one reader of the event table per web process, for every socket that watches a session.

The table is the truth. A thread looks for new rows of watched sessions only: on SQLite after another process's commit
(``PRAGMA data_version``), on PostgreSQL after a notification, and once a second in any case, because a wake-up may be
lost. Rows are rendered once and handed to each subscriber; whoever has a hole or too much waiting reads the table.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection

from sessions_app.models import Event, Session
from sessions_app.rendering import render_event

POLL_SECONDS = 0.025
BACKSTOP_SECONDS = 1.0
PAGE = 500
CACHED = 4096
log = logging.getLogger("codeflash.stream")


@dataclass(frozen=True)
class Line:
    """One event as it is sent: its number and its JSON object."""

    seq: int
    text: str


@dataclass(frozen=True)
class Head:
    """Where a session stands: the newest event's number and the status people see."""

    seq: int
    status: str


class Subscriber:
    """What one socket still has to send. Touched only on its own event loop."""

    def __init__(self, session_id: int, loop: asyncio.AbstractEventLoop) -> None:
        self.session_id, self.loop = session_id, loop
        self.wake = asyncio.Event()
        self.head = Head(0, "")
        self._lines: list[Line] = []
        self._keeping = False  # whoever is new reads the table first

    def push(self, lines: Sequence[Line], head: Head) -> None:
        """New rows from the hub. Beyond the backlog nothing is kept: the table has it all."""
        if len(self._lines) + len(lines) > settings.LIMITS.SOCKET_BACKLOG_EVENTS:
            self._lines, self._keeping = [], False
        elif self._keeping:
            self._lines += lines
        self.head = head
        self.wake.set()

    def take(self, last: int) -> list[Line] | None:
        """What waits after ``last``, in order without a hole; None when the table must be read instead."""
        if not self._keeping:
            return None
        found = [line for line in self._lines if line.seq > last]
        self._lines = []
        reached = found[-1].seq if found else last
        whole = not found or found[0].seq == last + 1
        return found if whole and reached >= self.head.seq else None

    def keep(self) -> None:
        """Call before reading the table: what the hub hands over from now on is kept, and seen twice is dropped."""
        self._lines, self._keeping = [], True


class Hub:
    """``subscribe`` before reading the table, then drop what was seen: no event is missed, none comes twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: dict[int, set[Subscriber]] = {}
        self._heads: dict[int, Head] = {}
        self._somebody = threading.Event()
        self._thread: threading.Thread | None = None
        self._cache: OrderedDict[tuple[int, int], Line] = OrderedDict()
        self._sockets: dict[int, int] = {}
        # One thread, so one database connection for all replays: a connection per socket exhausts the server.
        self._reads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replay")

    def subscribe(self, session_id: int) -> Subscriber:
        """Register on the running event loop; call ``unsubscribe`` when the socket closes."""
        subscriber = Subscriber(session_id, asyncio.get_running_loop())
        with self._lock:
            self._watchers.setdefault(session_id, set()).add(subscriber)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch_always, name="hub", daemon=True)
                self._thread.start()
        self._somebody.set()
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            watching = self._watchers.get(subscriber.session_id, set())
            watching.discard(subscriber)
            if not watching:
                self._watchers.pop(subscriber.session_id, None)
                self._heads.pop(subscriber.session_id, None)
            if not self._watchers:
                self._somebody.clear()

    def enter(self, user_id: int) -> bool:
        """Count one more socket of this person; false when they have as many as they may."""
        with self._lock:
            if self._sockets.get(user_id, 0) >= settings.LIMITS.SOCKETS_PER_USER:
                return False
            self._sockets[user_id] = self._sockets.get(user_id, 0) + 1
            return True

    def leave(self, user_id: int) -> None:
        with self._lock:
            left = self._sockets.get(user_id, 0) - 1
            if left > 0:
                self._sockets[user_id] = left
            else:
                self._sockets.pop(user_id, None)

    async def read(self, session_id: int, last: int) -> tuple[list[Line], Head]:
        """The next page of the table after ``last`` and where the session stands. Raises DatabaseError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reads, self._read, session_id, last)

    def _read(self, session_id: int, last: int) -> tuple[list[Line], Head]:
        try:
            head = _heads([session_id]).get(session_id, Head(0, ""))
            lines = self._lines(session_id, last)
            return lines, _at_least(head, lines)
        except DatabaseError:
            connection.close()
            raise

    def _lines(self, session_id: int, last: int) -> list[Line]:
        return [self._line(row) for row in Event.objects.after(session_id, last, PAGE)]

    def _line(self, row: Event) -> Line:
        """Rendered once per process, whoever asks: a thousand watchers cost one rendering."""
        key = (row.session_id, row.seq)
        with self._lock:
            known = self._cache.get(key)
            if known is not None:
                self._cache.move_to_end(key)
                return known
        made = Line(row.seq, encode(row))
        with self._lock:
            self._cache[key] = made
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return made

    def _watch_always(self) -> None:
        """The hub's thread. An error is said aloud and it goes on: sockets would otherwise be silent for ever."""
        waker = Waker()
        while True:
            try:
                self._somebody.wait()
                waker.wait()
                self._look()
            except Exception:
                log.exception("the hub met an error and goes on")
                connection.close()
                waker = Waker()
                time.sleep(0.5)

    def _look(self) -> None:
        with self._lock:
            watched = list(self._watchers)
        for session_id, head in _heads(watched).items():
            before = self._heads.get(session_id)
            if before == head:
                continue
            # Without lines (a session new to us, or over a page behind) sockets see the hole and read by themselves.
            lines = self._lines(session_id, before.seq) if before and head.seq > before.seq else []
            newest = _at_least(head, lines)
            self._heads[session_id] = newest
            self._hand_over(session_id, lines, newest)

    def _hand_over(self, session_id: int, lines: list[Line], head: Head) -> None:
        with self._lock:
            watching = list(self._watchers.get(session_id, ()))
        by_loop: dict[asyncio.AbstractEventLoop, list[Subscriber]] = {}
        for subscriber in watching:
            by_loop.setdefault(subscriber.loop, []).append(subscriber)
        for loop, subscribers in by_loop.items():
            try:
                loop.call_soon_threadsafe(_push_all, subscribers, lines, head)
            except RuntimeError:  # that loop has closed; its sockets are gone with it
                for subscriber in subscribers:
                    self.unsubscribe(subscriber)


class Waker:
    """Returns from ``wait`` when there may be something new, after a second at the latest."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._listening = False

    def wait(self) -> None:
        if connection.vendor == "sqlite":
            self._wait_for_commit()
        else:
            self._wait_for_notice()

    def _wait_for_commit(self) -> None:
        deadline = time.monotonic() + BACKSTOP_SECONDS
        while time.monotonic() < deadline:
            with connection.cursor() as cursor:
                version = cursor.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._version = version
                return
            time.sleep(POLL_SECONDS)

    def _wait_for_notice(self) -> None:
        from sessions_app.recording import CHANNEL

        connection.ensure_connection()
        raw = connection.connection
        if not self._listening:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening = True
            return
        for _ in raw.notifies(timeout=BACKSTOP_SECONDS, stop_after=1):
            pass


def encode(row: Event) -> str:
    """One event as the JSON object a page takes; a row that cannot be rendered is still sent, plainly."""
    try:
        html = render_event(row)
    except Exception:
        log.exception("event %s/%s could not be rendered", row.session_id, row.seq)
        html = f'<li data-seq="{row.seq}">An event that cannot be shown.</li>'
    body = {"seq": row.seq, "kind": row.kind, "html": html, "at": row.at.isoformat()}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _heads(session_ids: Sequence[int]) -> dict[int, Head]:
    rows = Session.objects.filter(pk__in=session_ids).values_list("pk", "last_seq", "status")
    return {pk: Head(seq, status) for pk, seq, status in rows}


def _at_least(head: Head, lines: Sequence[Line]) -> Head:
    """The head read before the lines: rows committed in between are in the lines only."""
    return Head(max(head.seq, lines[-1].seq), head.status) if lines else head


def _push_all(subscribers: Sequence[Subscriber], lines: Sequence[Line], head: Head) -> None:
    for subscriber in subscribers:
        subscriber.push(lines, head)


hub = Hub()
