"""The live socket over a real server: every event once and in order, through hang-ups and kill -9 of the server."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time

import pytest
from django.db import connection
from websockets.exceptions import WebSocketException

from engine import events as e
from sessions_app import actions, processes, queue, recording
from tests.store.conftest import until
from tests.store.server import Server, in_thread, serve

__all__ = ["serve"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fence(world):
    actions.launch(user=world.mia, repo=world.repo)
    return queue.claim(str(processes.me()))


def _note(number: int) -> e.NoteLogged:
    return e.NoteLogged(source="engine", text=f"note {number}")


def _write(fence, count, *, pause=0.005, batch=5):
    """In a thread: ``count`` events in small batches, as the worker does."""

    def work():
        for start in range(0, count, batch):
            recording.record(fence, [_note(start + i) for i in range(min(batch, count - start))])
            time.sleep(pause)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


async def _read_until(ws, last, got):
    while not got or got[-1] < last:
        for item in json.loads(await asyncio.wait_for(ws.recv(), 20)):
            if "seq" in item:
                got.append(item["seq"])


def test_history_then_live_events_arrive_once_in_order_as_rendered_rows(world, fence, serve):
    server = serve()
    recording.record(fence, [_note(i) for i in range(1, 1201)])
    cookie = server.cookie(world.vic)

    async def watch():
        items = []
        async with server.socket(fence.session_id, cookie) as ws:
            while not items or items[-1].get("seq") != 1300:
                items += json.loads(await asyncio.wait_for(ws.recv(), 20))
                if items[-1].get("seq") == 1200:
                    await asyncio.to_thread(_write(fence, 100).join)
        return items

    items = asyncio.run(watch())
    assert items[0] == {"kind": "hello", "head": 1200, "status": "running"}
    events = [item for item in items if "seq" in item]
    assert [item["seq"] for item in events] == list(range(1, 1301))
    assert events[7]["html"].lstrip().startswith("<li")
    assert "note 8" in events[7]["html"]
    assert events[0].keys() == {"seq", "kind", "html", "at"}


def test_a_page_gets_only_what_came_after_its_last_number(world, fence, serve):
    server = serve()
    recording.record(fence, [_note(i) for i in range(10)])
    cookie = server.cookie(world.vic)

    async def watch(after):
        got = []
        async with server.socket(fence.session_id, cookie, after=after) as ws:
            await _read_until(ws, 10, got)
        return got

    assert asyncio.run(watch(7)) == [8, 9, 10]


def test_beats_carry_the_head_and_a_status_change_is_told_without_an_event(world, serve):
    server = serve(CODEFLASH_LIMIT_HEARTBEAT_SECONDS="1")
    session = actions.launch(user=world.mia, repo=world.repo)
    cookie = server.cookie(world.vic)

    async def watch():
        seen = []
        async with server.socket(session.pk, cookie) as ws:
            seen += json.loads(await asyncio.wait_for(ws.recv(), 10))
            seen += json.loads(await asyncio.wait_for(ws.recv(), 10))
            await asyncio.to_thread(in_thread, lambda: queue.claim("test-owner"))
            while seen[-1]["status"] != "preparing":
                seen += json.loads(await asyncio.wait_for(ws.recv(), 10))
        return seen

    seen = asyncio.run(watch())
    assert seen[0] == {"kind": "hello", "head": 0, "status": "queued"}
    assert seen[1] == {"kind": "hb", "head": 0, "status": "queued"}


class Watcher:
    """A page: hangs up rudely now and then, comes back with its last number, and keeps everything it was sent."""

    def __init__(self, server: Server, session_id: int, cookie: str, seed: int) -> None:
        self.server, self.session_id, self.cookie = server, session_id, cookie
        self.random = random.Random(seed)
        self.got: list[int] = []
        self.connections = 0

    async def watch(self, last: int) -> None:
        while not self.got or self.got[-1] < last:
            try:
                await self._once(last)
            except (OSError, TimeoutError, WebSocketException):
                await asyncio.sleep(0.05)

    async def _once(self, last: int) -> None:
        after = self.got[-1] if self.got else 0
        ws = await self.server.socket(self.session_id, self.cookie, after=after)
        self.connections += 1
        leave = time.monotonic() + self.random.uniform(0.3, 3)
        try:
            while time.monotonic() < leave and (not self.got or self.got[-1] < last):
                for item in json.loads(await asyncio.wait_for(ws.recv(), 10)):
                    if "seq" in item:
                        self.got.append(item["seq"])
        finally:
            ws.transport.abort()


def test_kill_9_of_the_server_while_twenty_watch_loses_and_doubles_nothing(world, fence, serve):
    server = serve(CODEFLASH_LIMIT_SOCKETS_PER_USER="60")
    cookie, count = server.cookie(world.vic), 2000
    watchers = [Watcher(server, fence.session_id, cookie, seed) for seed in range(20)]

    async def run():
        tasks = [asyncio.create_task(watcher.watch(count)) for watcher in watchers]
        writer = _write(fence, count, pause=0.02)
        for _ in range(2):
            await asyncio.to_thread(until, lambda: max(len(w.got) for w in watchers) > 100, 30)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await asyncio.wait_for(asyncio.gather(*tasks), 90)
        await asyncio.to_thread(writer.join)

    asyncio.run(run())
    for watcher in watchers:
        assert watcher.got == list(range(1, count + 1))
    assert sum(watcher.connections for watcher in watchers) > 40


def test_a_watcher_that_does_not_read_is_told_it_was_too_slow_and_others_are_not_held_up(world, fence, serve):
    server = serve(CODEFLASH_LIMIT_SOCKET_SEND_SECONDS="1")
    vic, mia = server.cookie(world.vic), server.cookie(world.mia)
    for start in range(0, 9000, 500):
        recording.record(fence, [_note(start + i) for i in range(500)])

    async def run():
        deaf = await _deaf_socket(server, fence.session_id, mia)
        got = []
        async with server.socket(fence.session_id, vic) as ws:
            await _read_until(ws, 9000, got)
        await asyncio.sleep(3)  # three times what it may take to accept a frame
        return got, await asyncio.to_thread(_drain, deaf)

    got, said = asyncio.run(run())
    assert got == list(range(1, 9001))
    assert said.endswith(b"\x88\x02" + (4408).to_bytes(2, "big"))


async def _deaf_socket(server, session_id, cookie):
    """A handshake, then never a read: what a stopped laptop looks like from here."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", server.port))
    raw.sendall(
        (
            f"GET /ws/sessions/{session_id}/?after=0 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: {server.origin}\r\nCookie: {cookie}\r\n\r\n"
        ).encode()
    )
    assert b"101" in await asyncio.to_thread(raw.recv, 200)
    return raw


def _drain(raw) -> bytes:
    """What the server had still to say, up to its end."""
    raw.settimeout(20)
    said = b""
    while chunk := raw.recv(1 << 16):
        said = (said + chunk)[-64:]
    raw.close()
    return said
