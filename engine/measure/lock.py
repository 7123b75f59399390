"""One measurement at a time per host: an operating system file lock that a dying process cannot keep.

``measuring`` is exclusive, ``working`` (tests, profiles, installs) shared. Everyone passes two doors before the lock
itself. A waiting measurer keeps the outer door shut, so no new worker gets in before it; a waiting worker keeps the
inner one, so a measurer that lets go cannot snatch the lock again. So sessions alternate and nobody starves.
Not re-entrant: never ask for one while holding the other.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.measure.model import Cancelled

LOOK_SECONDS = 0.02
WORKERS = "tests and profiles of another session"

OnWait = Callable[[str, float | None], None]
"""Called with (who is ahead, None) when waiting starts, and with (the same, seconds waited) when it is over."""


def never() -> bool:
    return False


@contextmanager
def measuring(
    path: Path, *, holder: str, on_wait: OnWait | None = None, cancelled: Callable[[], bool] = never
) -> Iterator[None]:
    """Hold the host's measuring lock alone. ``holder`` is shown to those who wait. Raises Cancelled when told so."""
    wait = _Wait(path, on_wait, cancelled)
    with _opened(path) as main:
        with _opened(_door(path, "outer")) as outer, _opened(_door(path, "inner")) as inner:
            for handle in (outer, inner, main):
                wait.acquire(handle, fcntl.LOCK_EX)
        wait.over()
        _write_holder(main, holder)
        try:
            yield
        finally:
            _write_holder(main, "")


@contextmanager
def working(
    path: Path, *, on_wait: OnWait | None = None, cancelled: Callable[[], bool] = never
) -> Iterator[None]:
    """Share the host with other target work, but never with a measurement."""
    wait = _Wait(path, on_wait, cancelled)
    with _opened(path) as main:
        with _opened(_door(path, "inner")) as inner:
            with _opened(_door(path, "outer")) as outer:
                wait.acquire(outer, fcntl.LOCK_SH)
                wait.acquire(inner, fcntl.LOCK_SH)
            wait.acquire(main, fcntl.LOCK_SH)
        wait.over()
        yield


class _Wait:
    """Polls instead of blocking, so that a cancelled session leaves the queue."""

    def __init__(self, path: Path, on_wait: OnWait | None, cancelled: Callable[[], bool]) -> None:
        self._path, self._on_wait, self._cancelled = path, on_wait, cancelled
        self._since: float | None = None
        self._behind = ""

    def acquire(self, handle: int, how: int) -> None:
        while not _try(handle, how):
            if self._cancelled():
                raise Cancelled("cancelled while waiting for the measuring lock")
            self._tell()
            time.sleep(LOOK_SECONDS)

    def _tell(self) -> None:
        if self._since is None:
            self._since, self._behind = time.monotonic(), holder_of(self._path) or WORKERS
            if self._on_wait is not None:
                self._on_wait(self._behind, None)

    def over(self) -> None:
        if self._since is not None and self._on_wait is not None:
            self._on_wait(self._behind, time.monotonic() - self._since)


def holder_of(path: Path) -> str:
    """Who measures now, or an empty string: nobody, or only shared work."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if text else {}
    except (OSError, ValueError):
        return ""
    pid, holder = (data.get("pid"), data.get("holder")) if isinstance(data, dict) else (None, None)
    alive = isinstance(pid, int) and pid > 0 and _alive(pid)
    return str(holder or f"process {pid}")[:200] if alive else ""


def _alive(pid: int) -> bool:
    """A holder that was killed left its name behind, but not the lock."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _door(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}.{name}")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A handle of its own each time: flock belongs to the open file, so threads exclude each other as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        yield handle
    finally:
        os.close(handle)


def _try(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _write_holder(handle: int, holder: str) -> None:
    text = json.dumps({"pid": os.getpid(), "holder": holder}) if holder else ""
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
