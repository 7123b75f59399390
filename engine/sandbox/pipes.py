"""Read what a process prints in chunks, keep the head and the tail, count the rest.

A program may print a gigabyte or one endless line: memory here stays at the limit plus one chunk.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable
from typing import IO

CHUNK = 1 << 16
DRAIN_SECONDS = 1.0


class HeadTail:
    """Keeps at most ``limit`` bytes: the first half as they came, the rest from the end."""

    def __init__(self, limit: int) -> None:
        self._head_room = limit // 2
        self._tail_room = limit - limit // 2
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.cut = 0

    def add(self, chunk: bytes) -> None:
        if self._head_room:
            kept, chunk = chunk[: self._head_room], chunk[self._head_room :]
            self._head.append(kept)
            self._head_room -= len(kept)
        if chunk:
            self._tail.append(chunk)
            self._tail_size += len(chunk)
            self._trim()

    def _trim(self) -> None:
        """Drop whole chunks first, then the start of the oldest one kept."""
        while self._tail_size - len(self._tail[0]) >= self._tail_room:
            self._drop(len(self._tail.popleft()))
        extra = self._tail_size - self._tail_room
        if extra > 0:
            self._tail[0] = self._tail[0][extra:]
            self._drop(extra)

    def _drop(self, size: int) -> None:
        self._tail_size -= size
        self.cut += size

    def value(self) -> bytes:
        mark = b"\n[... %d bytes cut ...]\n" % self.cut if self.cut else b""
        return b"".join(self._head) + mark + b"".join(self._tail)


class Pump:
    """Moves stdin in and stdout, stderr out of one process until it ends; calls ``tick`` now and then.

    ``tick`` returns when it wants to be called next (monotonic seconds) and may end the process itself.
    """

    def __init__(self, process: subprocess.Popen[bytes], *, stdin: bytes, limit: int) -> None:
        self._process = process
        self._selector = selectors.DefaultSelector()
        self._pending = memoryview(stdin)
        self.stdout, self.stderr = HeadTail(limit), HeadTail(limit)
        self._watch(process.stdout, selectors.EVENT_READ, self.stdout)
        self._watch(process.stderr, selectors.EVENT_READ, self.stderr)
        self._watch(process.stdin, selectors.EVENT_WRITE, None)

    @property
    def cut(self) -> int:
        return self.stdout.cut + self.stderr.cut

    def _watch(self, pipe: IO[bytes] | None, event: int, sink: HeadTail | None) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event, sink)

    def run(self, tick: Callable[[], float]) -> None:
        """Return when the process has ended and its pipes are empty or have had DRAIN_SECONDS."""
        try:
            while self._selector.get_map():
                self._step(tick())
                if self._process.poll() is not None:
                    break
            self._wait(tick)
            self._drain()
        finally:
            self._close()

    def _wait(self, tick: Callable[[], float]) -> None:
        """The program closed its output early or has just ended: wait for the process itself."""
        while self._process.poll() is None:
            pause = max(0.001, min(0.02, tick() - time.monotonic()))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(pause)

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._readers() and time.monotonic() < deadline:
            self._step(min(deadline, time.monotonic() + 0.05))

    def _readers(self) -> bool:
        return any(key.events & selectors.EVENT_READ for key in self._selector.get_map().values())

    def _step(self, until: float) -> None:
        for key, _ in self._selector.select(max(0.0, until - time.monotonic())):
            if key.data is None:
                self._feed(key.fileobj)
            else:
                self._read(key.fileobj, key.data)

    def _read(self, pipe: object, sink: HeadTail) -> None:
        assert hasattr(pipe, "fileno")
        try:
            chunk = os.read(pipe.fileno(), CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            sink.add(chunk)
        else:
            self._selector.unregister(pipe)

    def _feed(self, pipe: object) -> None:
        """Write what the program takes; a program that does not read its input is no error."""
        assert hasattr(pipe, "fileno") and hasattr(pipe, "close")
        try:
            written = os.write(pipe.fileno(), self._pending[:CHUNK]) if self._pending else 0
            self._pending = self._pending[written:]
        except BlockingIOError:
            return
        except OSError:
            self._pending = memoryview(b"")
        if not self._pending:
            self._selector.unregister(pipe)
            pipe.close()

    def _close(self) -> None:
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
