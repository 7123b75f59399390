"""The worker: claims sessions, drives each in a thread, renews leases from a thread of its own, reaps and tidies up."""

from __future__ import annotations

import contextlib
import logging
import platform
import threading
import time
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from sessions_app import housekeeping, processes, queue
from sessions_app.models import Status, Worker
from sessions_app.tasks import Job

TICK_SECONDS = 0.25
TIDY_SECONDS = 300
log = logging.getLogger("codeflash.worker")


class WorkerLoop:
    """``run`` blocks until ``stop`` is called, or with ``only`` until that one session has ended."""

    def __init__(self, *, places: int = 1, only: int | None = None) -> None:
        self.owner = str(processes.me())
        self._places, self._only = places, only
        self._jobs: dict[int, Job] = {}
        self._stopping, self._over = threading.Event(), threading.Event()
        self._claimed_only = False
        self._renewed = time.monotonic()
        self._due: dict[str, float] = {}
        self._isolation: dict[str, Any] = {}

    def stop(self) -> None:
        """Finish cleanly: running engines are asked to stop, their sessions become interrupted and resumable."""
        self._stopping.set()

    def run(self) -> None:
        renewing = threading.Thread(target=self._renew_always, name="renew", daemon=True)
        renewing.start()
        threading.Thread(target=self._find_isolation, name="isolation", daemon=True).start()
        try:
            while not self._done():
                self._tick()
                self._stopping.wait(TICK_SECONDS)
            self._wind_up()
        finally:
            self._over.set()
            renewing.join(timeout=2)
            self._sign_off()

    def _done(self) -> bool:
        if self._stopping.is_set():
            return True
        return self._claimed_only and not self._jobs

    def _tick(self) -> None:
        """One look at the queue. A database that is away only delays it."""
        try:
            self._drop_ended()
            self._hear()
            if self._is_due("reap", settings.LIMITS.REAP_SECONDS):
                queue.reap()
            if self._is_due("tidy", TIDY_SECONDS):
                housekeeping.run_all()
            self._claim()
        except DatabaseError as error:
            log.warning("the database is away: %s", error)
            connection.close()

    def _drop_ended(self) -> None:
        self._jobs = {pk: job for pk, job in self._jobs.items() if job.thread.is_alive()}

    def _hear(self) -> None:
        """Pass on wishes to stop, and end what the row says is ours but no thread drives."""
        if not self._jobs and not self._is_due("orphans", settings.LIMITS.REAP_SECONDS):
            return
        beat = queue.look(self.owner)
        for pk in beat.cancelled & self._jobs.keys():
            self._jobs[pk].stop()
        for fence in beat.mine:
            if fence.session_id not in self._jobs:
                queue.release(
                    fence, status=Status.INTERRUPTED, reason="The worker lost track of this session."
                )

    def _claim(self) -> None:
        if len(self._jobs) >= self._places or self._claimed_only:
            return
        fence = queue.claim(self.owner, only=self._only)
        if fence is None:
            return
        log.info("session %s claimed", fence.session_id)
        self._claimed_only = self._only is not None
        job = Job(fence, still_ours=self._may_go_on)
        self._jobs[fence.session_id] = job
        job.thread.start()

    def _is_due(self, name: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(name, 0.0):
            return False
        self._due[name] = now + seconds
        return True

    def _may_go_on(self) -> bool:
        """Whether our claims can still hold although the database may be away.

        On one machine (SQLite) takeover goes by the life of this process, so waiting out a lock is safe.
        """
        limits = settings.LIMITS
        patience: float = limits.STUCK_SECONDS if connection.vendor == "sqlite" else limits.LEASE_SECONDS
        return bool(time.monotonic() - self._renewed < patience - limits.HEARTBEAT_SECONDS)

    def _renew_always(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            pause = settings.LIMITS.HEARTBEAT_SECONDS
            try:
                self._renew()
            except DatabaseError as error:
                log.warning("a lease could not be renewed, the database is away: %s", error)
                connection.close()
        connection.close()

    def _renew(self) -> None:
        asked = time.monotonic()
        jobs = dict(self._jobs)
        beat = queue.renew(self.owner, jobs)
        self._renewed = asked
        for job in jobs.values():
            if job.thread.is_alive() and job.fence not in beat.mine:
                job.lose()
        self._show()

    def _show(self) -> None:
        Worker.objects.update_or_create(
            name=self.owner,
            defaults={
                "host": platform.node()[:120],
                "pid": processes.parse(self.owner).pid,  # type: ignore[union-attr]
                "places": self._places,
                "isolation": self._isolation,
                "seen": Now(),
            },
        )

    def _find_isolation(self) -> None:
        """What this host can wall in; found by trying to break out, so it takes a moment."""
        try:
            from engine.sandbox import probe_isolation

            self._isolation = asdict(probe_isolation())
        except Exception as error:
            log.exception("the isolation probe failed")
            self._isolation = {"level": "", "reason": f"the probe failed: {error}"}

    def _wind_up(self) -> None:
        for job in self._jobs.values():
            job.stop()
        deadline = time.monotonic() + settings.LIMITS.CANCEL_GRACE_SECONDS + 10
        for job in self._jobs.values():
            job.thread.join(timeout=max(0.1, deadline - time.monotonic()))

    def _sign_off(self) -> None:
        with contextlib.suppress(DatabaseError):  # the next housekeeping removes rows of dead workers
            Worker.objects.filter(name=self.owner).delete()
        connection.close()


def forget_dead() -> list[str]:
    """Rows of workers of this machine that are gone."""
    boot, space = processes.machine()
    gone = []
    for row in Worker.objects.all():
        owner = processes.parse(row.name)
        if owner is not None and owner.space == space and (owner.boot != boot or not owner.alive):
            gone.append(row.pk)
    Worker.objects.filter(pk__in=gone).delete()
    return [f"{len(gone)} workers that are gone were forgotten"] if gone else []


housekeeping.register("Workers that are gone", forget_dead)
