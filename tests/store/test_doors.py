"""What the server's doors refuse: who may not watch, another page's socket, a body too large, a locked database."""

from __future__ import annotations

import asyncio
import http.client
import json
import sqlite3

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sessions_app import actions, first_run, processes, queue
from sessions_app.models import Membership
from tests.store.server import in_thread, serve

__all__ = ["serve"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fence(world):
    actions.launch(user=world.mia, repo=world.repo)
    return queue.claim(str(processes.me()))


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
        await asyncio.to_thread(in_thread, lambda: Membership.objects.filter(user=world.vic).delete())
        await asyncio.to_thread(in_thread, lambda: SessionStore(mia.partition("=")[2]).delete())
        return await left, await signed_out

    assert asyncio.run(check()) == (4403, 4401)


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
