"""Fills a database with what real sessions leave behind: real actions, real claims, real events through recording."""

from __future__ import annotations

import time
from collections.abc import Iterable

from engine import events as e
from sessions_app import actions, queue, recording
from sessions_app.models import Session, Worker
from tests import story

OWNER = "boot 1 0"
BATCH = 40


def claimed(session: Session) -> queue.Fence:
    fence = queue.claim(OWNER, only=session.pk)
    assert fence is not None, "the session could not be claimed"
    return fence


def tell(session: Session, events: Iterable[e.Event]) -> Session:
    """Claim a queued session and record the events under that claim."""
    fence, waiting = claimed(session), list(events)
    for i in range(0, len(waiting), BATCH):
        recording.record(fence, waiting[i : i + BATCH])
    session.refresh_from_db()
    return session


def finished(user: object, repo: object, *, verdict: str = "APPROVE", ago: float = 9000) -> Session:
    session = actions.launch(user=user, repo=repo)
    return tell(session, story.story(session.pk, time.time() - ago, verdict=verdict))


def live(user: object, repo: object, *, ago: float = 6400) -> Session:
    session = actions.launch(user=user, repo=repo)
    return tell(session, story.half_story(session.pk, time.time() - ago))


def worker() -> Worker:
    return Worker.objects.create(
        name="runner-3",
        host="runner-3",
        pid=4711,
        places=2,
        isolation={"level": "L2", "mechanism": "bubblewrap"},
    )
