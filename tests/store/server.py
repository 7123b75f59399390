"""A real gunicorn on the test's own database, which a test may kill and start again."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from websockets.asyncio.client import connect

from tests.store.conftest import BASE, child_env, until


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


def in_thread(work: Callable[[], object]) -> object:
    """Database work of a thread that is about to end: its connection is closed."""
    try:
        return work()
    finally:
        connection.close()
