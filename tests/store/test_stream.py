"""The live socket over a real server: every event once and in order, through hang-ups and kill -9 of the server."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from engine import events as e
from sessions_app import actions, first_run, processes, queue, recording
from sessions_app.models import Membership
from tests.store.conftest import BASE, child_env, until

pytestmark = pytest.mark.django_db(transaction=True)


class Server:
    """One gunicorn on the test's database; ``kill`` is kill -9 of all of it, ``start`` brings it back."""

    def __init__(self, **env: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.env = child_env(CODEFLASH_PORT=str(self.port), **env)
        self.cookie_name = f"codeflash_{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-k", "asgi", "-b", f"127.0.0.1:{self.port}", "--log-level", "warning",
             "config.asgi:application"],
            cwd=BASE, env=self.env, start_new_session=True,
        )  # fmt: skip
        until(self.answers, 60, "an answer of the server")

    def answers(self) -> bool:
        try:
            conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            conn.request("GET", "/sign-in/")
            return conn.getresponse().status < 600
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cookie(self, user: object) -> str:
        store = SessionStore()
        store[SESSION_KEY] = str(user.pk)
        store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.create()
        return f"{self.cookie_name}={store.session_key}"

    def socket(self, session_id: int, cookie: str = "", after: int = 0, origin: str | None = None):
        return connect(
            f"ws://127.0.0.1:{self.port}/ws/sessions/{session_id}/?after={after}",
            origin=origin or self.origin,
            additional_headers={"Cookie": cookie} if cookie else {},
            proxy=None,
            open_timeout=20,
        )


@pytest.fixture
def serve(transactional_db: None) -> Iterator[object]:
    servers = []

    def start(**env: str) -> Server:
        servers.append(Server(**env))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


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
            await asyncio.to_thread(_in_thread, lambda: queue.claim("test-owner"))
            while seen[-1]["status"] != "preparing":
                seen += json.loads(await asyncio.wait_for(ws.recv(), 10))
        return seen

    seen = asyncio.run(watch())
    assert seen[0] == {"kind": "hello", "head": 0, "status": "queued"}
    assert seen[1] == {"kind": "hb", "head": 0, "status": "queued"}


def _in_thread(work):
    try:
        return work()
    finally:
        connection.close()


async def _close_code(server, session_id, cookie="", **more):
    async with server.socket(session_id, cookie, **more) as ws:
        try:
            while True:
                await asyncio.wait_for(ws.recv(), 20)
        except ConnectionClosed as closed:
            return closed.rcvd.code


def test_who_may_not_watch_is_told_so_by_the_close_code(world, fence, serve):
    server = serve(CODEFLASH_LIMIT_SOCKETS_PER_USER="2")

    async def check():
        assert await _close_code(server, fence.session_id) == 4401
        assert await _close_code(server, fence.session_id, charlie) == 4404
        assert await _close_code(server, 99_999, vic) == 4404
        async with server.socket(fence.session_id, vic), server.socket(fence.session_id, vic):
            assert await _close_code(server, fence.session_id, vic) == 4403
        async with server.socket(fence.session_id, vic) as ws:
            assert json.loads(await asyncio.wait_for(ws.recv(), 10))[0]["kind"] == "hello"
            await ws.send("x" * 20_000)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await asyncio.wait_for(ws.recv(), 10)
            assert closed.value.rcvd.code == 1009

    charlie, vic = server.cookie(world.charlie), server.cookie(world.vic)
    asyncio.run(check())


def test_another_page_cannot_open_a_socket_here(world, fence, serve):
    server = serve()
    cookie = server.cookie(world.vic)

    async def check():
        for origin in (
            "http://evil.example",
            "http://127.0.0.1:1",
            f"https://127.0.0.1:{server.port}",
            "null",
        ):
            with pytest.raises(InvalidStatus):
                async with server.socket(fence.session_id, cookie, origin=origin):
                    pass

    asyncio.run(check())


def test_leaving_the_team_or_signing_out_closes_an_open_socket(world, fence, serve):
    server = serve(CODEFLASH_LIMIT_SOCKET_RECHECK_SECONDS="1", CODEFLASH_LIMIT_HEARTBEAT_SECONDS="1")
    vic, mia = server.cookie(world.vic), server.cookie(world.mia)

    async def check():
        left = asyncio.create_task(_close_code(server, fence.session_id, vic))
        signed_out = asyncio.create_task(_close_code(server, fence.session_id, mia))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(_in_thread, lambda: Membership.objects.filter(user=world.vic).delete())
        await asyncio.to_thread(_in_thread, lambda: SessionStore(mia.partition("=")[2]).delete())
        return await left, await signed_out

    assert asyncio.run(check()) == (4403, 4401)


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


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_before_it_is_taken_in(world, serve, chunked):
    server = serve(CODEFLASH_LIMIT_BODY_BYTES="100000")
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    if chunked:
        conn.putrequest("POST", "/sign-in/")
        conn.putheader("Transfer-Encoding", "chunked")
        conn.endheaders()
        for size in (
            50_000,
            50_000,
            1,
        ):  # the last byte is the one too many: nothing is being sent when it hangs up
            conn.send(b"%x\r\n%s\r\n" % (size, b"x" * size))
    else:
        conn.putrequest("POST", "/nowhere/")
        conn.putheader("Content-Length", str(300 << 20))
        conn.endheaders()
    answer = conn.getresponse()
    assert answer.status == 413
    assert b"BODY_BYTES" in answer.read()
    assert settings.LIMITS.BODY_BYTES > 100_000


def test_a_page_that_meets_a_locked_database_says_when_to_try_again(world, serve):
    server = serve(CODEFLASH_SQLITE_SECONDS="1")
    secret = first_run.sign_in_secret(world.mia)
    other = sqlite3.connect(connection.settings_dict["NAME"], timeout=10, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    conn.request("GET", f"/sign-in/{secret}/")
    page = conn.getresponse()
    page.read()
    assert page.status == 200
    conn.request("POST", "/sign-in/", *_form(page))
    answer = conn.getresponse()
    other.execute("ROLLBACK")
    other.close()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def _form(page) -> tuple[str, dict[str, str]]:
    token = page.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    body = f"csrfmiddlewaretoken={token}&username=mia&password=wrong-password"
    return body, {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
