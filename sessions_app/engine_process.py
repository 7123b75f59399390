"""The engine as a child process behind its shim: capped reading of its lines, a polite stop, a sure kill."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

CHUNK = 1 << 16
STDERR_KEPT = 1 << 16
# The engine gets what a program needs to run and nothing that names or opens the database.
_PASSED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
)
_PASSED_PREFIXES = ("CODEFLASH_ENGINE_", "PIP_", "UV_", "XDG_CACHE")


class EngineProcess:
    """Started at once; ``read`` until ``open`` is false, then ``wait``. Not thread-safe except ask_stop and kill."""

    def __init__(self, command: Sequence[str], *, work: Path, line_bytes: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sessions_app.shim", "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            env=environment(),
            start_new_session=True,
            bufsize=0,
        )
        self.pid = self._process.pid
        self.open = True
        self.cut_lines = 0
        self._lines = _Lines(line_bytes)
        self._stderr = b""
        self._log = work / "engine.log"
        self._selector = selectors.DefaultSelector()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)

    def read(self, seconds: float) -> list[bytes]:
        """Whole lines that arrived within ``seconds``; lines over the cap are dropped and counted in ``cut_lines``."""
        found: list[bytes] = []
        for key, _ in self._selector.select(seconds):
            chunk = _chunk(key.fd)
            if chunk is None:
                continue
            if not chunk:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self._process.stderr:
                self._keep_stderr(chunk)
            else:
                found += self._lines.feed(chunk)
        self.open = bool(self._selector.get_map())
        self.cut_lines = self._lines.cut
        return found

    def ask_stop(self) -> None:
        """SIGTERM to the engine, through the shim."""
        self._say(b"T")

    def kill(self) -> None:
        """Kill every process of the session, through the shim."""
        self._say(b"K")

    def wait(self, seconds: float) -> int:
        """The exit code; what still lives after ``seconds`` is killed first."""
        try:
            code = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._wait_killed()
        self._close()
        return code

    @property
    def last_words(self) -> str:
        """The tail of what the engine wrote to stderr."""
        return self._stderr.decode("utf-8", "replace").strip()[-4000:]

    def _wait_killed(self) -> int:
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _say(self, word: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # it has ended already
            stdin.write(word)

    def _keep_stderr(self, chunk: bytes) -> None:
        self._stderr = (self._stderr + chunk)[-STDERR_KEPT:]
        try:
            if not self._log.exists() or self._log.stat().st_size < settings.LIMITS.OUTPUT_BYTES:
                with self._log.open("ab") as file:
                    file.write(chunk)
        except OSError:
            pass  # a full disk must not stop the session's log of events

    def _close(self) -> None:
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


class _Lines:
    """Splits chunks into lines without ever holding more than the cap of one line."""

    def __init__(self, cap: int) -> None:
        self._cap, self._rest, self._dropping, self.cut = cap, bytearray(), False, 0

    def feed(self, chunk: bytes) -> list[bytes]:
        found = []
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._add(part)
            if not self._dropping and self._rest:
                found.append(bytes(self._rest))
            self._rest, self._dropping = bytearray(), False
        self._add(rest)
        return found

    def _add(self, part: bytes) -> None:
        if self._dropping:
            return
        if len(self._rest) + len(part) > self._cap:
            self._dropping, self._rest, self.cut = True, bytearray(), self.cut + 1
            return
        self._rest += part


def environment() -> dict[str, str]:
    """What the engine's process may see of ours: never the database, its password or the site's settings."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    return {
        **passed,
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONUNBUFFERED": "1",
        # A lone surrogate (a file name that is no UTF-8) leaves as a JSON escape instead of ending the engine.
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }


def _chunk(fd: int) -> bytes | None:
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
