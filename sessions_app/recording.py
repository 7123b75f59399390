"""Storing facts: one transaction holds the fence check, the next sequence numbers, the events and what they project.

The worker records what the engine states through ``record``; actions and the reaper state facts of their own
(``session_interrupted`` and the like) through ``state`` on a row they have locked.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from engine import events as e
from sessions_app import spill
from sessions_app.fences import Fence
from sessions_app.models import HELD, Event, Session, Status
from sessions_app.projections import PROJECTED, project

CHANNEL = "codeflash_events"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_OUTCOMES = {"finished": Status.FINISHED, "failed": Status.FAILED, "cancelled": Status.CANCELLED}


class Fenced(Exception):
    """This worker no longer holds the session: someone else claimed, ended or reaped it. Nothing was written."""

    def __init__(self, fence: Fence) -> None:
        super().__init__(
            f"session {fence.session_id} is no longer held under claim {fence.token}; stop working on it"
        )


def record(fence: Fence, events: Sequence[e.Event]) -> list[Event]:
    """Store events in order under the claim ``fence``; raises Fenced when the claim is no longer ours.

    The first event turns a preparing session to running; ``session_ended`` brings it to its end in the same
    transaction, so no reader sees one without the other.
    """
    if not events:
        return []
    with transaction.atomic():
        mine = Session.objects.filter(
            pk=fence.session_id, owner=fence.owner, token=fence.token, status__in=HELD
        )
        if not mine.update(last_seq=F("last_seq") + len(events)):
            raise Fenced(fence)
        session = Session.objects.get(pk=fence.session_id)
        first = session.last_seq - len(events) + 1
        rows = [_row(session, first + i, event) for i, event in enumerate(events)]
        _store(session, rows)
        _follow_status(session, rows)
    return rows


def state(session: Session, kind: str, body: dict[str, Any]) -> Event:
    """Append one fact of our own to a session whose row the caller has locked in a transaction."""
    session.last_seq += 1
    clean = spill.fit(scrub(body), settings.LIMITS.EVENT_BYTES)
    row = Event(session=session, seq=session.last_seq, kind=kind, at=timezone.now(), body=clean)
    _store(session, [row])
    return row


def scrub(value: Any) -> Any:
    """Plain JSON types that every database takes: no NUL, no lone surrogate, no NaN, tuples as lists."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        # Beyond 64 bits the JSON types of the databases disagree.
        return value if abs(value) < 2**63 else f"{value:x}"[:40]
    if isinstance(value, dict):
        return {str(scrub(str(k))): scrub(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(each) for each in value]
    return value


def _row(session: Session, seq: int, event: e.Event) -> Event:
    data = scrub(e.to_dict(event))
    kind, at = data.pop("kind"), data.pop("at", None)
    whole = spill.size(data)
    if whole > settings.LIMITS.EVENT_BYTES:
        data = spill.to_file(data, session_id=session.pk, seq=seq, cap=settings.LIMITS.EVENT_BYTES)
    return Event(session=session, seq=seq, kind=kind[:40], at=_moment(at), body=data)


def _moment(at: Any) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(float(at), tz=dt.UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return timezone.now()


def _store(session: Session, rows: list[Event]) -> None:
    Event.objects.bulk_create(rows)
    for row in rows:
        project(session, row)
    session.save(update_fields=PROJECTED)
    nudge(session.pk)


def _follow_status(session: Session, rows: list[Event]) -> None:
    if session.status == Status.PREPARING:
        session.status = Status.RUNNING
        session.save(update_fields=["status"])
    ended = next((row for row in rows if row.kind == "session_ended"), None)
    if ended is not None:
        finish(session, outcome_of(session, ended), str(ended.body.get("reason") or ""))


def outcome_of(session: Session, ended: Event) -> Status:
    """The status a ``session_ended`` leads to. Stopped by nobody's wish (the worker went down) is interrupted."""
    status = _OUTCOMES.get(str(ended.body.get("outcome")), Status.FAILED)
    if status == Status.CANCELLED and session.cancel_requested is None:
        return Status.INTERRUPTED
    return status


def finish(session: Session, status: Status, reason: str) -> None:
    """The one place a session comes to its end: gives up slot, lease and owner. The caller holds the row's lock."""
    session.status, session.end_reason, session.ended = status, reason[:4000], timezone.now()
    session.slot, session.lease_until, session.owner = None, None, ""
    session.save(update_fields=["status", "end_reason", "ended", "slot", "lease_until", "owner"])


def nudge(session_id: int) -> None:
    """Wake whoever watches: on PostgreSQL a notification that leaves with the commit; SQLite readers see the commit."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(session_id)])
