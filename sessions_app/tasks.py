"""Driving one claimed session: brief, engine process, events into the store, and exactly one end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from engine import events as e
from sessions_app import briefing, folders, queue, recording
from sessions_app.engine_process import EngineProcess
from sessions_app.fences import Fence
from sessions_app.models import Session, Status

BATCH_LINES, BATCH_SECONDS = 50, 0.1
UNUSABLE = 2  # the engine's exit code for a brief or crew it cannot run
AWAY = (OperationalError, InterfaceError)
log = logging.getLogger("codeflash.worker")


class Job:
    """One session driven by one thread. ``cancel``, ``stop`` and ``lose`` may be called from any thread."""

    def __init__(self, fence: Fence, *, still_ours: Callable[[], bool]) -> None:
        self.fence = fence
        self._still_ours = still_ours
        self._engine: EngineProcess | None = None
        self._batch: list[e.Event] = []
        self._batch_since = 0.0
        self._stop_since: float | None = None
        self._wanted = threading.Event()
        self._lost = threading.Event()
        self._killed = False
        self._told_cut = 0
        self._ended_since: float | None = None
        self.thread = threading.Thread(target=self.drive, name=f"session-{fence.session_id}", daemon=True)

    def stop(self) -> None:
        """Ask the engine to end politely; it is killed when the grace has passed."""
        self._wanted.set()

    def lose(self) -> None:
        """The claim is gone: kill the engine and write nothing more. After a stated end it is meant to be gone."""
        if self._ended_since is None:
            self._lost.set()

    def drive(self) -> None:
        """The whole life of the job; never raises."""
        try:
            self._drive()
        except Exception:
            log.exception("session %s: the driver failed", self.fence.session_id)
            self._kill()
            self._release(Status.INTERRUPTED, "The worker met an error of its own; its log has the details.")
        finally:
            if self._engine is not None:
                self._engine.wait(2)
            connection.close()

    def _drive(self) -> None:
        try:
            self._engine = self._start()
        except (OSError, ValueError) as error:
            self._release(Status.FAILED, f"The session could not be prepared: {error}")
            return
        while self._engine.open and not self._lost.is_set():
            self._take([parse(line) for line in self._engine.read(BATCH_SECONDS / 2)])
            self._take(self._dropped())
            self._obey()
        self._flush()
        self._finish()

    def _start(self) -> EngineProcess:
        session = Session.objects.select_related("repo", "parent").get(pk=self.fence.session_id)
        path = briefing.write(session)
        work = folders.work_of(session.pk)
        command = [*settings.ENGINE_COMMAND, str(path)]
        return EngineProcess(command, work=work, line_bytes=settings.LIMITS.LINE_BYTES)

    def _dropped(self) -> list[e.Event]:
        """A note for lines over the cap."""
        assert self._engine is not None
        new, self._told_cut = self._engine.cut_lines - self._told_cut, self._engine.cut_lines
        cap = settings.LIMITS.LINE_BYTES
        words = f"{new} lines longer than {cap} bytes (LINE_BYTES) were left out."
        return [e.NoteLogged(source="worker", text=words, level="warning")] if new else []

    def _take(self, events: list[e.Event]) -> None:
        if events and not self._batch:
            self._batch_since = time.monotonic()
        self._batch += events
        if len(self._batch) >= BATCH_LINES or (
            self._batch and time.monotonic() - self._batch_since >= BATCH_SECONDS
        ):
            self._flush()

    def _obey(self) -> None:
        """Stop politely when asked, kill after the grace; kill at once when the claim is lost."""
        assert self._engine is not None
        if self._lost.is_set() or not self._still_ours():
            self._lost.set()
            self._kill()
        elif self._wanted.is_set() and self._stop_since is None:
            self._stop_since = time.monotonic()
            self._engine.ask_stop()
        elif self._overdue() and not self._killed:
            self._kill()

    def _overdue(self) -> bool:
        """It was asked to stop, or has stated its end, and still runs after the grace."""
        since = self._ended_since or self._stop_since
        return since is not None and time.monotonic() - since > settings.LIMITS.CANCEL_GRACE_SECONDS

    def _kill(self) -> None:
        if self._engine is not None:
            self._engine.kill()
        self._killed = True

    def _flush(self) -> None:
        """Store what waits. While the database is away the engine waits too: its pipe fills and nothing is lost."""
        while self._batch and not self._lost.is_set() and self._ended_since is None:
            part = self._batch[:BATCH_LINES]
            try:
                self._store(part)
            except AWAY as error:
                log.warning("session %s: the database is away: %s", self.fence.session_id, error)
                connection.close()
                self._obey()
                time.sleep(0.25)
                continue
            del self._batch[: len(part)]

    def _store(self, events: list[e.Event]) -> None:
        try:
            recording.record(self.fence, events)
        except recording.Fenced:
            self.lose()
            return
        except AWAY:
            raise
        except (DatabaseError, TypeError, ValueError, KeyError, AttributeError) as error:
            self._store_singly(events, error)
        if any(isinstance(each, e.SessionEnded) for each in events):
            self._ended_since = time.monotonic()

    def _store_singly(self, events: list[e.Event], error: Exception) -> None:
        """One event that cannot be stored must not take its neighbours along: a note says what it was."""
        if len(events) > 1:
            for each in events:
                self._store([each])
            return
        words = f"A {events[0].kind} event could not be stored: {type(error).__name__}: {error}"
        log.error("session %s: %s", self.fence.session_id, words)
        recording.record(self.fence, [e.NoteLogged(source="worker", text=words[:2000], level="error")])

    def _finish(self) -> None:
        """The engine's side of the pipe has closed, or the claim is gone."""
        assert self._engine is not None
        if self._lost.is_set():
            self._kill()
            return
        code = self._engine.wait(10)
        if self._ended_since is not None:
            return
        status, reason = self._end_without_word(code)
        self._release(status, reason)

    def _end_without_word(self, code: int) -> tuple[Status, str]:
        assert self._engine is not None
        words = self._engine.last_words
        if self._killed:
            seconds = settings.LIMITS.CANCEL_GRACE_SECONDS
            return (
                Status.INTERRUPTED,
                f"It did not stop within {seconds} s (CANCEL_GRACE_SECONDS) and was ended.",
            )
        if code == UNUSABLE:
            return Status.FAILED, f"The engine could not start: {words or 'it gave no reason'}"
        how = f"signal {code - 128}" if code > 128 else f"exit code {code}"
        return Status.INTERRUPTED, f"The engine ended without saying why ({how}). {words}".strip()

    def _release(self, status: Status, reason: str) -> None:
        advice = "Kept commits are safe on the session's branch. Resume it to go on from its hand-off."
        while not self._lost.is_set():
            try:
                queue.release(self.fence, status=status, reason=reason, advice=advice)
                return
            except AWAY:
                connection.close()
                if not self._still_ours():
                    return
                time.sleep(0.25)


def parse(line: bytes) -> e.Event:
    """One line of the engine; what is not an event becomes a note, so that nothing it says is dropped."""
    text = line.decode("utf-8", "replace")
    try:
        return e.from_json(text)
    except (e.MalformedEvent, RecursionError) as error:
        words = f"A line was not an event ({error}): {text}"
        return e.NoteLogged(source="engine", text=words[:4000], level="warning")
